"""Curves for what happens on given dates: holidays, and windows such as a sale or an outage."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sim.maths import civil
from sim.maths.arrays import Floats, Times
from sim.maths.model import shown
from sim.maths.timecurve import TimeCurve
from sim.maths.timeline import Timeline
from sim.maths.trends import Factor
from sim.maths.units import Duration, Instant

_DATE = r"(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_LEAP_YEAR = 2000


def parse_day(value: object) -> str:
    """A civil day: `2024-12-25`, or `12-25` for that day of every year. Raises ValueError for anything else."""
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not re.fullmatch(_DATE, text):
        raise ValueError(f"{shown(value)} is not a day: write 2024-12-25, or 12-25 for every year")
    try:
        date.fromisoformat(text if len(text) == 10 else f"{_LEAP_YEAR}-{text}")
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not a day: {error}") from None
    return text


Day = Annotated[
    str,
    BeforeValidator(parse_day),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_DATE}$".replace(r"\d", "[0-9]"), "examples": ["2024-12-25", "12-25"]}
    ),
]


class Holidays(TimeCurve):
    """A factor on certain civil days, from midnight to midnight, and 1 on all others."""

    type: Literal["holidays"]
    dates: dict[Day, Factor] = Field(
        min_length=1,
        max_length=10_000,
        description="Factor by date; a date without a year comes every year, one with a year goes first.",
        examples=[{"2024-11-29": 3, "12-25": 0.1}],
    )

    @cached_property
    def _once(self) -> dict[int, float]:
        return {_number(day): factor for day, factor in self.dates.items() if len(day) == 10}

    def days(self, first: int, last: int) -> dict[int, float]:
        """Factor by day (since 1970-01-01) of the holidays in the years from `first` to `last`."""
        yearly = [(day, factor) for day, factor in self.dates.items() if len(day) == 5]
        years = range(first, last + 1) if yearly else ()
        found = {
            _number(f"{year:04}-{day}"): factor
            for year in years
            for day, factor in yearly
            if day != "02-29" or _is_leap(year)
        }
        return found | self._once

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """The factor of the civil day of each instant."""
        if len(t) == 0:
            return np.ones(0)
        day = civil.day_number(timeline.local(t))
        years = civil.unit_index(np.array([day.min(), day.max()]) * _DAY, "year") + 1970
        days = self.days(int(years[0]), int(years[1]))
        known = np.array(sorted(days), dtype=np.int64)
        levels = np.array([*(days[number] for number in sorted(days)), 1.0])
        place = np.searchsorted(known, day)
        hit = np.take(np.append(known, -(2**62)), place) == day
        return np.where(hit, np.take(levels, place), 1.0)

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The midnights at which the factor changes."""
        begins = timeline.civil_breaks(t0, t1, "day")
        return np.asarray(begins[self.factor(begins, timeline) != self.factor(begins - 1, timeline)])


_DAY = 86_400_000_000


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


class Window(TimeCurve):
    """A factor in [from, until) and 1 outside.

    Ramps lie inside the window: it climbs from 1 to the factor in the time `ramp_up` after `from`, and is back at 1 at
    `until`, from which `ramp_down` counts backwards.
    """

    type: Literal["window"]
    from_: Instant = Field(alias="from", description="Where it begins.", examples=["2024-11-25"])
    until: Instant = Field(description="Where it has ended.", examples=["2024-12-02"])
    factor_: Factor = Field(alias="factor", description="Factor inside the window.", examples=[3])
    ramp: Duration | None = Field(None, description="Length of both ramps.", examples=["6h"])
    ramp_up: Duration | None = Field(None, description="Time from 1 to the factor.", examples=["6h"])
    ramp_down: Duration | None = Field(None, description="Time from the factor back to 1.", examples=["2d"])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.until <= self.from_:
            raise ValueError("'until' must come after 'from'")
        if self.ramp is not None and (self.ramp_up is not None or self.ramp_down is not None):
            raise ValueError("give either ramp, or ramp_up and ramp_down")
        if self.up + self.down > self.until - self.from_:
            raise ValueError("the ramps are longer than the window")
        return self

    @property
    def up(self) -> int:
        """Length of the first ramp, microseconds."""
        return self.ramp or self.ramp_up or 0

    @property
    def down(self) -> int:
        """Length of the last ramp, microseconds."""
        return self.ramp or self.ramp_down or 0

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """1 + (factor - 1) x the part of the ramp that is climbed."""
        inside = (t >= self.from_) & (t < self.until)
        climbed = (t - self.from_) / self.up if self.up else np.ones(len(t))
        left = (self.until - t) / self.down if self.down else np.ones(len(t))
        share = np.where(inside, np.clip(np.minimum(climbed, left), 0.0, 1.0), 0.0)
        return np.asarray(1 + (self.factor_ - 1) * share, dtype=np.float64)

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The ends of the window and of its ramps."""
        return np.array([self.from_, self.from_ + self.up, self.until - self.down, self.until], dtype=np.int64)
