"""Running totals per entity: what they are; the engine adds up, which has all of an entity's facts in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.kinds import want_number
from sim.attributes.rows import Rows
from sim.errors import SimulationError
from sim.maths.model import Name


class RunningTotal(Attribute):
    """The sum so far, over an entity's facts in the order of time, this one included.

    Streams of the same kind of entity that give the same `total` add to one sum and each show it: a balance.
    """

    type: Literal["running_total"]
    of: Name = Field(description="Attribute of this stream that is added up.", examples=["amount"])
    start: Annotated[float, Field(ge=-1e15, le=1e15)] | str = Field(
        0.0,
        description="Where it begins: a number, or an attribute of the entity.",
        examples=["account.opening_balance"],
    )
    total: Name | None = Field(None, description="Name under which streams share the sum.", examples=["balance"])
    sign: Literal[-1, 1] = Field(1, description="-1 takes away instead of adding.")
    digits: int | None = Field(None, ge=0, le=15, description="Decimal places to round the shown sum to.", examples=[2])

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.value or self.curves or self.modifiers:
            raise ValueError("a running total takes no 'value', 'curves' or 'modifiers'; put them on what it adds up")
        return self

    def reads(self) -> frozenset[str]:
        """What is added up, and where the sum begins."""
        return frozenset({self.of} | ({self.start} if isinstance(self.start, str) else set()))

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64; raises ValueError where what it adds up, or begins with, is no number."""
        for name in sorted(self.reads()):
            want_number(types[name], f"a running total of {name!r}")
        return pa.float64()

    def column(self, sums: Array) -> Column:
        """The column for sums float64[n] that the engine has added up."""
        return Column(sums if self.digits is None else np.round(sums, self.digits), pa.float64())

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Refused with SimulationError: a total is not drawn."""
        raise SimulationError(f"the running total of {self.of!r} is not drawn row by row")
