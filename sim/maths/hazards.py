"""Hazards: how an event that has not happened yet becomes due, as a function of the time spent waiting."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from sim.maths.arrays import Elapsed, Floats
from sim.maths.diffusion import Bass, Imitation
from sim.maths.model import Model, Shorthand
from sim.maths.units import Duration, HazardRate, Instant, Rate


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


class BassHazard(Model):
    """Adoption: hazard p + q F(t), where F(t) is the share that would have adopted since the launch (Bass 1969).

    It depends on the time, not on how long somebody has been waiting. Before the launch it is 0.
    """

    type: Literal["bass"]
    p: HazardRate = Field(gt=0, description="Coefficient of innovation.", examples=["0.03/year"])
    q: Rate = Field(ge=0, description="Coefficient of imitation.", examples=["0.38/year"])
    launch: Instant | None = Field(
        None, description="Nobody adopts before; the start of the run if left out.", examples=["2024-03-01"]
    )

    @property
    def rate(self) -> float:
        """Hazard per microsecond at the launch."""
        return self.p

    @property
    def highest(self) -> float:
        """The hazard per microsecond that it approaches."""
        return self.p + self.q

    def imitation(self, start: int) -> Imitation:
        """The factor over time that makes this hazard of an exponential one with rate p, which the other methods are.

        The launch is at `start` unless it is given.
        """
        return Imitation(Bass(self.p, self.q), start if self.launch is None else self.launch)

    def rate_at(self, elapsed: Elapsed) -> Floats:
        """Hazard per microsecond before imitation: float64[n]."""
        return np.full(len(elapsed), self.p)

    def cumulative(self, elapsed: Elapsed) -> Floats:
        """Hazard accumulated by `elapsed` microseconds before imitation: float64[n]."""
        return np.asarray(self.p * elapsed, dtype=np.float64)

    def inverse(self, h: Floats) -> Floats:
        """Elapsed microseconds at which the cumulative hazard before imitation is `h`: float64[n]."""
        return h / self.p


_RATE = TypeAdapter(HazardRate).json_schema()

Hazard = Annotated[
    Annotated[ExponentialHazard | WeibullHazard | BassHazard, Field(discriminator="type")],
    Shorthand("exponential", "rate", (str, int, float), _RATE),
]
"""`3%/month` is an exponential hazard; others are written out."""
