"""Curves that repeat with the civil calendar: hours, weekdays, days of the month, months.

Each is a step function of civil time with mean 1 over a long calendar, so that adding a season changes the shape of a
rate and not its level. Where clocks change, the weight follows the clock on the wall: a repeated hour is busy twice.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from sim.maths import civil
from sim.maths.arrays import Floats, Times
from sim.maths.model import shown
from sim.maths.timecurve import TimeCurve
from sim.maths.timeline import Timeline

Level = Annotated[float, Field(ge=0, le=1e9)]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# days in the 400 years after which the Gregorian calendar repeats
_DAYS_OF_MONTH = np.array([4800.0] * 28 + [4497, 4400, 2800])
_DAYS_IN_MONTH = np.array([31, 28.2425, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class Seasonal(TimeCurve):
    """A weight per civil unit, divided by the mean weight."""

    unit: ClassVar[civil.CivilUnit]
    shares: ClassVar[Floats]

    weights: list[float]

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: list[float]) -> list[float]:
        if not any(weights):
            raise ValueError("at least one weight must be above 0")
        return weights

    @cached_property
    def levels(self) -> Floats:
        """The factors, with mean 1 when weighted by how often each unit comes."""
        weights = np.array(self.weights, dtype=np.float64)
        return np.asarray(weights / np.average(weights, weights=self.shares), dtype=np.float64)

    @staticmethod
    @abstractmethod
    def place(local: Times) -> Times:
        """Which of the weights holds at each civil time: int64[n]."""

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """The factor of the civil unit that each instant falls into."""
        return np.take(self.levels, self.place(timeline.local(t)))

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The beginnings of civil units at which the factor changes."""
        begins = timeline.civil_breaks(t0, t1, self.unit)
        return np.asarray(begins[self.factor(begins, timeline) != self.factor(begins - 1, timeline)])


class HourOfDay(Seasonal):
    """The shape of a day: 24 weights, the first for the hour from midnight."""

    unit = "hour"
    shares = np.ones(24)

    type: Literal["hour_of_day"]
    weights: list[Level] = Field(
        min_length=24,
        max_length=24,
        description="One weight per hour, from 00:00; only their ratios matter.",
        examples=[[2, 1, 1, 1, 1, 2, 4, 7, 9, 11, 12, 13, 14, 13, 12, 12, 13, 14, 16, 18, 17, 14, 10, 6]],
    )

    @staticmethod
    def place(local: Times) -> Times:
        """0 to 23."""
        return civil.hour_of_day(local)


def by_name(names: Sequence[str]) -> Any:
    """Annotation: weights as a list, or by (the first three letters of the) name, where those left out weigh 1."""

    def listed(value: object) -> object:
        if not isinstance(value, dict):
            return value
        weights: list[object] = [1.0] * len(names)
        for key, weight in value.items():
            short = str(key).lower()[:3]
            if short not in names:
                raise ValueError(f"{shown(key)} is none of {', '.join(names)}")
            weights[names.index(short)] = weight
        return weights

    return BeforeValidator(listed)


def _schema(names: Sequence[str]) -> Any:
    weight = {"type": "number", "minimum": 0}
    keys = "|".join(f"{name[0]}{name[1:]}" for name in names)
    mapping = {"type": "object", "patternProperties": {f"^({keys})": weight}, "additionalProperties": False}
    listed = {"type": "array", "items": weight, "minItems": len(names), "maxItems": len(names)}
    return WithJsonSchema({"anyOf": [listed, mapping]})


class DayOfWeek(Seasonal):
    """The shape of a week: seven weights, Monday first, or by name."""

    unit = "day"
    shares = np.ones(7)

    type: Literal["day_of_week"]
    weights: Annotated[list[Level], by_name(WEEKDAYS), _schema(WEEKDAYS)] = Field(
        min_length=7,
        max_length=7,
        description="One weight per day, Monday first, or by name (mon, tue ...; those left out weigh 1).",
        examples=[[1, 1, 1, 1.1, 1.3, 1.5, 1.2], {"sat": 2, "sun": 0.5}],
    )

    @staticmethod
    def place(local: Times) -> Times:
        """0 (Monday) to 6."""
        return civil.day_of_week(local)


class DayOfMonth(Seasonal):
    """The shape of a month: 31 weights. The last ones count for the months that have such a day."""

    unit = "day"
    shares = _DAYS_OF_MONTH

    type: Literal["day_of_month"]
    weights: list[Level] = Field(
        min_length=31,
        max_length=31,
        description="One weight per day of the month, from the 1st; only their ratios matter.",
        examples=[[3, 2, 2, *[1] * 28]],
    )

    @staticmethod
    def place(local: Times) -> Times:
        """0 (the 1st) to 30."""
        return civil.day_of_month(local) - 1


class Month(Seasonal):
    """The shape of a year: twelve weights, January first, or by name."""

    unit = "month"
    shares = _DAYS_IN_MONTH

    type: Literal["month"]
    weights: Annotated[list[Level], by_name(MONTHS), _schema(MONTHS)] = Field(
        min_length=12,
        max_length=12,
        description="One weight per month, January first, or by name (jan, feb ...; those left out weigh 1).",
        examples=[[0.8, 0.8, 0.9, 1, 1, 1, 0.9, 0.8, 1, 1, 1.4, 1.8], {"dec": 2}],
    )

    @staticmethod
    def place(local: Times) -> Times:
        """0 (January) to 11."""
        return civil.month_of_year(local)
