"""Hazards: how an event that has not happened yet becomes due, as a function of the time spent waiting."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from sim.maths.arrays import Elapsed, Floats
from sim.maths.model import Model, Shorthand
from sim.maths.units import Duration, HazardRate


class ExponentialHazard(Model):
    """The same hazard at any time: waiting does not change what is to come."""

    type: Literal["exponential"]
    rate: HazardRate = Field(description="Probability per period, or a rate.", examples=["3%/month", "0.5/month"])

    def rate_at(self, elapsed: Elapsed) -> Floats:
        """Hazard per microsecond: float64[n]."""
        return np.full(len(elapsed), self.rate)

    def cumulative(self, elapsed: Elapsed) -> Floats:
        """Hazard accumulated by `elapsed` microseconds: float64[n]."""
        return np.asarray(self.rate * elapsed, dtype=np.float64)

    def inverse(self, h: Floats) -> Floats:
        """Elapsed microseconds at which the cumulative hazard is `h`: float64[n], infinite where it never is."""
        return h / self.rate if self.rate > 0 else np.where(h > 0, np.inf, 0.0)


class WeibullHazard(Model):
    """A hazard that grows (shape > 1) or falls (shape < 1) with the time spent; (elapsed / scale) ** shape in total."""

    type: Literal["weibull"]
    scale: Duration = Field(gt=0, description="Time after which 63% have left.", examples=["90d"])
    shape: float = Field(gt=0, le=100, description="Below 1 falls, above 1 grows, 1 is exponential.", examples=[1.5])

    def rate_at(self, elapsed: Elapsed) -> Floats:
        """Hazard per microsecond: float64[n]; infinite at 0 for shapes below 1."""
        with np.errstate(divide="ignore"):
            power = np.power(np.asarray(elapsed, dtype=np.float64) / self.scale, self.shape - 1)
        return np.asarray(self.shape / self.scale * power, dtype=np.float64)

    def cumulative(self, elapsed: Elapsed) -> Floats:
        """Hazard accumulated by `elapsed` microseconds: float64[n]."""
        return np.asarray(np.power(np.asarray(elapsed) / self.scale, self.shape), dtype=np.float64)

    def inverse(self, h: Floats) -> Floats:
        """Elapsed microseconds at which the cumulative hazard is `h`: float64[n]."""
        return np.asarray(self.scale * np.power(h, 1 / self.shape), dtype=np.float64)


_RATE = TypeAdapter(HazardRate).json_schema()

Hazard = Annotated[
    Annotated[ExponentialHazard | WeibullHazard, Field(discriminator="type")],
    Shorthand("exponential", "rate", (str, int, float), _RATE),
]
"""`3%/month` is an exponential hazard; others are written out."""
