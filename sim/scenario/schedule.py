"""Schedules: facts at regular times, `every: 1 month`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from sim.maths.distributions import DurationDistribution
from sim.maths.model import Model
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR, MINUTE, MONTH, SECOND, WEEK, YEAR, Duration, Probability

_UNITS = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK, "month": MONTH, "year": YEAR}
PERIOD_PATTERN = rf"^(\d{{1,6}})\s+({'|'.join(_UNITS)})s?$"
_PERIOD = re.compile(PERIOD_PATTERN)
_WITHIN_DAYS = ("second", "minute", "hour")
_NUMPY_UNITS = {"day": "D", "month": "M", "year": "Y"}
_MONDAY = 4  # 1970-01-05, the first Monday of the epoch, in days


class Regular(Model):
    """Facts at equal periods from each entity's birth, or at the boundaries of the calendar."""

    period: str = Field(pattern=PERIOD_PATTERN, description="A whole number of units.", examples=["1 month", "2 weeks"])
    anchor: Literal["birth", "calendar"] = Field(
        "birth", description="Count from the entity's birth, or from the civil calendar's own boundaries."
    )
    offset: Duration = Field(0, validate_default=False, ge=0, description="Added to the boundary.", examples=["24d"])
    jitter: DurationDistribution | None = Field(
        None, description="Random delay of each fact.", examples=[{"type": "uniform", "low": "0h", "high": "6h"}]
    )
    probability: Probability = Field(1.0, description="Probability that a scheduled fact happens.")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.count < 1:
            raise ValueError(f"period {self.period!r} must be at least 1 {self.unit}")
        return self

    def _parts(self) -> tuple[str, str]:
        match = _PERIOD.match(self.period)
        assert match is not None
        return match[1], match[2]

    @property
    def count(self) -> int:
        """How many units make a period."""
        return int(self._parts()[0])

    @property
    def unit(self) -> str:
        """The unit in the singular."""
        return self._parts()[1]

    @property
    def duration(self) -> int:
        """The period's (mean) length in microseconds."""
        return round(self.count * _UNITS[self.unit])

    def boundaries(self, start: int, until: int, timeline: Timeline) -> NDArray[np.int64]:
        """Calendar instants plus offset in [start, until), int64 microseconds UTC, ascending.

        Boundaries are multiples of the period since the epoch in the scenario's civil time; weeks begin on Monday.
        Where clocks change, what is shorter than a day goes on in even steps: an hour that comes twice counts twice.
        """
        if self.unit in _WITHIN_DAYS:
            return self._within_days(start - self.offset, until - self.offset, timeline) + self.offset
        local = timeline.local(np.array([start - self.offset, until - self.offset], dtype=np.int64))
        if self.unit == "week":
            step, origin = self.count * WEEK, _MONDAY * DAY
            first, last = (int(at - origin) // step for at in local)
            civil = origin + step * np.arange(first - 1, last + 2, dtype=np.int64)
        else:
            unit = _NUMPY_UNITS[self.unit]
            whole = local.astype("datetime64[us]").astype(f"datetime64[{unit}]").astype(np.int64) // self.count
            steps = np.arange(whole[0] - 1, whole[1] + 2, dtype=np.int64) * self.count
            civil = steps.astype(f"datetime64[{unit}]").astype("datetime64[us]").astype(np.int64)
        instants = timeline.utc(civil + self.offset)
        return instants[(instants >= start) & (instants < until)]

    def _within_days(self, start: int, until: int, timeline: Timeline) -> NDArray[np.int64]:
        """Boundaries in [start, until), from one change of the clocks to the next."""
        edges = [start, *timeline.transitions(start, until).tolist(), until]
        shifts = timeline.local(np.array(edges[:-1], dtype=np.int64)) - edges[:-1]
        pieces = [
            np.arange(-(-(first + shift) // self.duration) * self.duration - shift, last, self.duration, dtype=np.int64)
            for first, last, shift in zip(edges[:-1], edges[1:], shifts.tolist(), strict=True)
        ]
        return np.concatenate(pieces)


def _spelled_out(value: Any) -> Any:
    return {"period": value} if isinstance(value, str) else value


Schedule = Annotated[Regular, BeforeValidator(_spelled_out, json_schema_input_type=str | Regular)]
"""`1 month`, or a mapping with `period` and more."""
