"""Generators of times: `datetime` and `date`."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import TIME_TYPE, Array, Column
from sim.attributes.kinds import is_time, name_of
from sim.attributes.rows import Rows
from sim.maths.distributions import DurationDistribution
from sim.maths.instants import zone_of
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, Instant

_EPOCH = dt.date(1970, 1, 1)


class _Around(Attribute):
    """Times at a random distance from another time of the row."""

    base: str = Field("event_time", description="The other time: event_time, or a timestamp of the row.")
    after: DurationDistribution | None = Field(
        None, description="How much later.", examples=[{"type": "gamma", "mean": "3d", "shape": 2}]
    )
    before: DurationDistribution | None = Field(None, description="How much earlier.", examples=["30d"])

    def reads(self) -> frozenset[str]:
        """The other time, unless the times are between limits."""
        return frozenset({self.base}) if self._limits_left_out() else frozenset()

    @abstractmethod
    def _limits_left_out(self) -> bool: ...

    def _check_way(self) -> None:
        if not self._limits_left_out():
            if self.after is not None or self.before is not None or self.base != "event_time":
                raise ValueError("'from' and 'until' go without 'base', 'after' and 'before'")
        elif self.after is not None and self.before is not None:
            raise ValueError("give 'after' or 'before', not both")

    def _check_base(self, types: Mapping[str, pa.DataType]) -> None:
        if self._limits_left_out() and not is_time(types[self.base]):
            raise ValueError(f"base: {self.base!r} is no timestamp, but {name_of(types[self.base])}")

    def _moved(self, rows: Rows, rng: np.random.Generator) -> Column:
        base = rows.column(self.base)
        offset = self.after or self.before
        if offset is None:
            return base
        distance = np.rint(offset.draw(rng, len(rows))).astype(np.int64)
        values = base.values + distance if self.before is None else base.values - distance
        return Column(values, TIME_TYPE, base.mask)


class DateTime(_Around):
    """Instants: uniform between two, or around another time of the row."""

    type: Literal["datetime"]
    from_: Instant | None = Field(None, alias="from", description="Earliest instant.", examples=["2024-01-01"])
    until: Instant | None = Field(None, description="Instants are before this one.", examples=["2025-01-01"])

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.from_ is None) != (self.until is None):
            raise ValueError("give both 'from' and 'until', or neither")
        if self.from_ is not None and self.until is not None and self.until <= self.from_:
            raise ValueError("'until' must be later than 'from'")
        self._check_way()
        return self

    def _limits_left_out(self) -> bool:
        return self.from_ is None

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """timestamp[us, UTC]; raises ValueError where `base` is none."""
        self._check_base(types)
        return TIME_TYPE

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One instant for each row."""
        if self.from_ is None or self.until is None:
            return self._moved(rows, rng)
        return Column(rng.integers(self.from_, self.until, len(rows)), TIME_TYPE)


class Date(_Around):
    """Days of the calendar: uniform between two, or those of a time of the row, in the scenario's timezone."""

    type: Literal["date"]
    from_: dt.date | None = Field(None, alias="from", description="First day.", examples=["1950-01-01"])
    until: dt.date | None = Field(None, description="Last day, included.", examples=["2005-12-31"])
    _zone: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _sensible(self, info: ValidationInfo) -> Self:
        if (self.from_ is None) != (self.until is None):
            raise ValueError("give both 'from' and 'until', or neither")
        if self.from_ is not None and self.until is not None and self.until < self.from_:
            raise ValueError("'until' must not be before 'from'")
        self._check_way()
        self._zone = zone_of(info)
        return self

    def _limits_left_out(self) -> bool:
        return self.from_ is None

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """date32; raises ValueError where `base` is no timestamp."""
        self._check_base(types)
        return pa.date32()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One day for each row."""
        if self.from_ is None or self.until is None:
            instants = self._moved(rows, rng)
            return Column((self._local(instants.values) // DAY).astype(np.int32), pa.date32(), instants.mask)
        first, last = (day.toordinal() - _EPOCH.toordinal() for day in (self.from_, self.until))
        return Column(rng.integers(first, last, len(rows), np.int32, endpoint=True), pa.date32())

    def _local(self, instants: Array) -> Array:
        if not isinstance(self._zone, ZoneInfo):
            return instants
        return Timeline(0, 0, self._zone).local(instants)
