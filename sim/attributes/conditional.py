"""The generator `when`: which generator makes the value depends on the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute, at
from sim.attributes.column import Array, Column
from sim.attributes.expressions import Sql, program
from sim.attributes.kinds import cast, is_number, is_text, name_of
from sim.attributes.nested import Nested, Repeated, Seeded
from sim.attributes.rows import Rows
from sim.maths.model import Model

if TYPE_CHECKING:
    from sim.attributes.registry import AnyAttribute


class Case(Model):
    """One case: a condition, and what makes the value where it holds."""

    if_: Sql = Field(alias="if", description="Scalar SQL over names of the row.", examples=["tier = 'vip'"])
    then: AnyAttribute = Field(description="The attribute that makes the value.", examples=[{"type": "uuid"}])


class When(Nested):
    """The attribute of the first case whose condition holds; all give the same type of value.

    Each draws for its own rows only, from a random stream of its own.
    """

    type: Literal["when"]
    cases: list[Case] = Field(
        min_length=1,
        max_length=100,
        description="The cases, in order.",
        examples=[[{"if": "tier = 'vip'", "then": {"type": "lognormal", "median": 90, "sigma": 0.5}}]],
    )
    else_: AnyAttribute | None = Field(
        None, alias="else", description="Where no condition holds; null if left out.", examples=[{"type": "uuid"}]
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        self._check_parts()
        return self

    @property
    def parts(self) -> dict[str, Attribute]:
        """The attributes of the cases, and the last resort."""
        parts: dict[str, Attribute] = {f"cases[{place}].then": case.then for place, case in enumerate(self.cases)}
        return parts if self.else_ is None else parts | {"else": self.else_}

    def reads(self) -> frozenset[str]:
        """All that conditions and parts read."""
        return super().reads().union(*(program(case.if_).reads for case in self.cases))

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """What the parts give: their one type, or float64 for all kinds of numbers, or strings for all of text."""
        for place, case in enumerate(self.cases):
            with at(f"cases[{place}].if"):
                kind = program(case.if_).arrow_type({name: types[name] for name in program(case.if_).reads})
                if not pa.types.is_boolean(kind):
                    raise ValueError(f"{case.if_!r} is not a condition, but {name_of(kind)}")
        common: pa.DataType | None = None
        for place_, part in self.parts.items():
            with at(place_):
                own = part.result_type(types)
                common = own if common is None else _common(common, own)
        assert common is not None
        return common

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """The values of the cases, each at its rows."""
        conditions = {name: rows.column(name) for name in self.reads()}
        case = self._case_of(rows, conditions)
        streams = rng.spawn(len(self.parts))
        kind = self.arrow_type({name: column.type for name, column in conditions.items()})
        order = np.argsort(case, kind="stable")
        ends = np.searchsorted(case[order], np.arange(len(self.cases) + 1), side="right")
        indices = np.split(order, ends[:-1])
        pieces = [
            cast(part.make(Seeded(Repeated(rows, index), stream), "then"), kind)
            for part, stream, index in zip(self.parts.values(), streams, indices, strict=False)
        ]
        if self.else_ is None:
            pieces.append(Column.nulls(len(indices[-1]), kind))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return Column.concat(pieces).take(place)

    def _case_of(self, rows: Rows, columns: Mapping[str, Column]) -> Array:
        """int64[n]: the place of the first case whose condition holds, and their number where none does."""
        case = np.full(len(rows), len(self.cases))
        for place in reversed(range(len(self.cases))):
            holds = program(self.cases[place].if_).evaluate(columns, len(rows), pa.bool_())
            case[holds.values if holds.mask is None else holds.values & ~holds.mask] = place
        return case


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    if is_number(one) and is_number(other):
        return pa.float64()
    if is_text(one) and is_text(other):
        return pa.string()
    raise ValueError(f"gives {name_of(other)}, but the case before gives {name_of(one)}; all must give the same")
