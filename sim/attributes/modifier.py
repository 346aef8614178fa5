"""What every modifier is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from sim.attributes.column import Array, Column
from sim.attributes.kinds import want_number
from sim.attributes.rows import Rows
from sim.maths.model import Model


class BaseModifier(Model, ABC):
    """A step that turns a column into another of the same length; nulls stay null."""

    def reads(self) -> frozenset[str]:
        """Names of the row that the step needs besides the value."""
        return frozenset()

    @abstractmethod
    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The type after the step, given that before it and those of the row.

        Raises ValueError where the step makes no sense on values of that type.
        """

    @abstractmethod
    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The column after the step."""


class NumberModifier(BaseModifier):
    """A step on numbers that gives floating-point numbers."""

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64; raises ValueError for anything but numbers."""
        want_number(kind, str(getattr(self, "type", "this")))
        return pa.float64()

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The changed numbers, with the column's nulls."""
        values = column.values.astype(np.float64, copy=False)
        return Column(self.change(values, rows, rng), pa.float64(), column.mask)

    @abstractmethod
    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """float64[n] from float64[n]."""
