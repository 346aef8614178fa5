"""Running totals per entity: what they add up, and what of it is posted where a floor is in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.column import Array, Column
from sim.attributes.kinds import want_number
from sim.attributes.rows import Rows
from sim.attributes.sequential import Level, Read, Sequential
from sim.maths.model import Name


class RunningTotal(Sequential):
    """The sum so far, over an entity's facts in the order of time, this one included.

    Streams of the same kind of entity that give the same `total` add to one sum and each show it: a balance. What would
    take the sum below `floor` is refused, or clipped to what there is; `posted` shows how much was added.
    """

    timed = False
    agreed = ("start",)

    type: Literal["running_total"]
    of: Name = Field(description="Attribute of this stream that is added up.", examples=["amount"])
    start: Level | str = Field(
        0.0,
        description="Where it begins: a number, or an attribute of the entity.",
        examples=["account.opening_balance"],
    )
    total: Name | None = Field(None, description="Name under which streams share the sum.", examples=["balance"])
    sign: Literal[-1, 1] = Field(1, description="-1 takes away instead of adding.")
    floor: Level | str | None = Field(
        None,
        description="This stream takes the sum no lower: a number, or an attribute of the entity.",
        examples=[0, "account.limit"],
    )
    below: Literal["refuse", "clip"] = Field(
        "refuse", description="What would end below the floor counts not at all, or as far as the floor."
    )
    digits: int | None = Field(None, ge=0, le=15, description="Decimal places to round the shown sum to.", examples=[2])

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.value or self.curves or self.modifiers:
            raise ValueError("a running total takes no 'value', 'curves' or 'modifiers'; put them on what it adds up")
        if self.floor is None and "below" in self.model_fields_set:
            raise ValueError("'below' says what happens at a floor; give 'floor'")
        return self

    @property
    def shared(self) -> str | None:
        """The name of the sum."""
        return self.total

    @property
    def opening(self) -> float | str:
        """Where it begins."""
        return self.start

    def of_entity(self) -> frozenset[str]:
        """Where the sum begins and ends, as far as the entity says so."""
        return frozenset(bound for bound in (self.start, self.floor) if isinstance(bound, str))

    def inborn(self) -> frozenset[str]:
        """Where the sum begins, unless it is what it ends at, too."""
        return super().inborn() - {self.floor}

    def first(self) -> frozenset[str]:
        """What is added up."""
        return frozenset({self.of})

    def reads(self) -> frozenset[str]:
        """What is added up, where the sum begins, and where it ends."""
        return self.first() | self.of_entity()

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64; raises ValueError where what it adds up, or begins with, is no number."""
        for name in sorted(self.reads()):
            want_number(types[name], f"a running total of {name!r}")
        return pa.float64()

    def steps(self, gaps: Array, read: Read, normal: Callable[[], Array]) -> tuple[None, Array]:
        """What each fact adds; nulls add nothing."""
        return None, np.nan_to_num(read(self.of).floats() * self.sign)

    def shown(self, states: Column, rows: Rows) -> Column:
        """The sums, rounded."""
        if self.digits is None:
            return states
        return Column(np.round(states.values, self.digits) + 0.0, pa.float64())  # + 0.0: no -0.0


class Posted(Sequential):
    """How much of the amount a running total of this stream really took: less than all of it only at a floor."""

    timed = False

    type: Literal["posted"]
    of: Name = Field(description="The running total, an attribute of this stream.", examples=["balance"])

    def reads(self) -> frozenset[str]:
        """The running total."""
        return frozenset({self.of})

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64."""
        return pa.float64()

    def steps(self, gaps: Array, read: Read, normal: Callable[[], Array]) -> tuple[None, Array]:
        """Nothing of its own: the running total knows."""
        return None, np.zeros(len(gaps))

    def shown(self, states: Column, rows: Rows) -> Column:
        """The amounts."""
        return states
