"""Modifiers of times, of texts, and of values of any type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from sim.attributes.column import STRING_CODES, Array, Column
from sim.attributes.expressions import Sql, program
from sim.attributes.kinds import is_integer, is_number, is_text, is_time, name_of
from sim.attributes.modifier import BaseModifier
from sim.attributes.rows import Rows
from sim.maths.units import Duration, Offset, Probability

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value as a scenario writes it."""


class _OnTimes(BaseModifier):
    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """Timestamps; raises ValueError for anything else."""
        if not is_time(kind):
            raise ValueError(f"{getattr(self, 'type', 'this')} needs timestamps, but these are {name_of(kind)}")
        return kind


class Shift(_OnTimes):
    """Timestamps earlier or later by a fixed length of time."""

    type: Literal["shift"]
    by: Offset = Field(description="How much later; negative is earlier.", examples=["-2h"])

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The moved instants."""
        return Column(column.values + self.by, column.type, column.mask)


class TimeJitter(_OnTimes):
    """Timestamps off by a random length of time: normal with `sd`, or uniform up to `within`."""

    type: Literal["time_jitter"]
    sd: Duration | None = Field(None, description="Standard deviation of a normal error.", examples=["5s"])
    within: Duration | None = Field(None, description="Largest error of a uniform one.", examples=["1min"])
    direction: Literal["both", "later", "earlier"] = Field("both", description="Which way.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.sd is None) == (self.within is None):
            raise ValueError("give either 'sd' or 'within'")
        return self

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The scattered instants."""
        error = self._errors(rng, len(column))
        if self.direction != "both":
            error = np.abs(error) * (1 if self.direction == "later" else -1)
        return Column(column.values + np.rint(error).astype(np.int64), column.type, column.mask)

    def _errors(self, rng: np.random.Generator, length: int) -> Array:
        if self.sd is not None:
            return rng.standard_normal(length) * self.sd
        return rng.uniform(-1.0, 1.0, length) * (self.within or 0)


class MapValues(BaseModifier):
    """Values replaced by others, from a list; what is not listed becomes `otherwise`, or stays as it is."""

    type: Literal["map_values"]
    values: dict[Scalar, Scalar] = Field(min_length=1, max_length=10_000, description="Old value to new value.")
    otherwise: Scalar | None = Field(None, description="For values not listed; left out, they stay.")

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The common type of the new values; raises ValueError where they do not mix, or old ones do not occur."""
        if not (is_text(kind) or is_number(kind) or pa.types.is_boolean(kind)):
            raise ValueError(f"map_values needs text, numbers or booleans, but these are {name_of(kind)}")
        for key in self.values:
            if not _fits(key, kind):
                raise ValueError(f"map_values: {key!r} can never occur among {name_of(kind)}")
        return self._target(kind)

    def _target(self, kind: pa.DataType) -> pa.DataType:
        new = [*self.values.values()] + ([] if self.otherwise is None else [self.otherwise])
        target = scalar_type(new)
        if self.otherwise is not None or (is_text(target) and is_text(kind)) or target == kind:
            return target
        if is_number(target) and is_number(kind):
            return pa.float64()
        raise ValueError(
            f"map_values gives {name_of(target)}, but what is not listed stays {name_of(kind)}; say otherwise"
        )

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The replaced values."""
        target = self._target(column.type)
        if column.categories is None:
            old = Column(column.values, column.type).to_arrow()
            return self._replace(old, target).with_nulls(column.mask)
        if not len(column.categories):
            return Column.nulls(len(column), target)
        new = self._replace(column.categories, target)
        return new.take(column.values).with_nulls(column.mask)

    def _replace(self, old: pa.Array, target: pa.DataType) -> Column:
        keys = pa.array([_as(key, old.type) for key in self.values], old.type)
        place = np.asarray(pc.index_in(old, keys).fill_null(len(keys)))
        plain = target.value_type if pa.types.is_dictionary(target) else target
        new = pa.array([*self.values.values(), self.otherwise], plain).take(pa.array(place))
        if self.otherwise is None:
            new = pc.if_else(pa.array(place < len(keys)), new, old.cast(plain))
        return Column.of(new.dictionary_encode() if pa.types.is_dictionary(target) else new)


def scalar_type(values: list[Scalar]) -> pa.DataType:
    """The Arrow type of a list of scalars; raises ValueError where text, numbers and booleans are mixed."""
    if all(isinstance(value, str) for value in values):
        return STRING_CODES
    if all(isinstance(value, bool) for value in values):
        return pa.bool_()
    if any(isinstance(value, bool | str) for value in values):
        raise ValueError("text, numbers and booleans are mixed; quote the values to make all of them text")
    if all(isinstance(value, int) and abs(value) < 2**63 for value in values):
        return pa.int64()
    return pa.float64()


def _fits(key: Scalar, kind: pa.DataType) -> bool:
    if isinstance(key, str):
        return is_text(kind)
    if isinstance(key, bool):
        return bool(pa.types.is_boolean(kind))
    return is_number(kind) and (not is_integer(kind) or key == int(key))


def _as(key: Scalar, kind: pa.DataType) -> Scalar:
    return int(key) if is_integer(kind) else key


class Compute(BaseModifier):
    """A scalar SQL expression over `value` and the row."""

    type: Literal["expression"]
    sql: Sql = Field(description="Scalar SQL; `value` is the value so far.", examples=["value * 1.2"])

    def reads(self) -> frozenset[str]:
        """The columns that the expression mentions."""
        return program(self.sql).reads - {"value"}

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The expression's type."""
        return program(self.sql).arrow_type({**types, "value": kind})

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The results; a null value may become another."""
        columns = {name: rows.column(name) for name in self.reads()} | {"value": column}
        kind = program(self.sql).arrow_type({name: given.type for name, given in columns.items()})
        return program(self.sql).evaluate(columns, len(rows), kind)


class Null(BaseModifier):
    """Now and then there is no value."""

    type: Literal["null"]
    probability: Probability = Field(description="How often.", examples=[0.02])

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The same type."""
        return kind

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The column with further nulls."""
        return column.with_nulls(rng.random(len(column)) < self.probability)
