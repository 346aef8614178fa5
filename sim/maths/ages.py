"""Curves over age: how behaviour changes with the time since birth. Each is a factor, at least 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sim.maths.arrays import Elapsed, Floats, Times
from sim.maths.courses import Course, Interpolation, knots_problem
from sim.maths.model import Model
from sim.maths.piecewise import ends
from sim.maths.timecurve import sigmoid
from sim.maths.trends import LARGEST, Factor
from sim.maths.units import Duration, GrowthRate, Slope


class Ageing(Model, ABC):
    """A dimensionless factor over age (microseconds, at least 0)."""

    @abstractmethod
    def at(self, age: Elapsed) -> Floats:
        """The exact factor at each age: float64[n]."""

    def turns(self) -> list[float]:
        """Ages between which the factor is smooth and monotone, in any order."""
        return []

    def breaks(self, t0: int, t1: int | None = None) -> Times:
        """Ages strictly inside (t0, t1), or (0, t0) if only one is given, between which it is smooth and monotone."""
        low, high = (0, t0) if t1 is None else (t0, t1)
        turns = np.array([turn for turn in self.turns() if turn < 2**62], dtype=np.float64)
        whole = np.unique(np.ceil(turns).astype(np.int64))
        return whole[(whole > low) & (whole < high)]

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Lowest and highest factor of each cell of ages, float64[m] each; `edges` include the breaks."""
        return ends(self, edges)


class ConstantAge(Ageing):
    """The same factor at all ages."""

    type: Literal["constant"]
    value: Factor = Field(description="The factor.", examples=[0.8])

    def at(self, age: Elapsed) -> Floats:
        """`value`, everywhere."""
        return np.full(len(age), self.value)


class PointsAge(Ageing):
    """Levels by age: `values` one `per` period from birth, or `points` by age; the last level stays."""

    type: Literal["points"]
    values: list[Factor] | None = Field(
        None, min_length=1, max_length=100_000, description="Levels, the first at birth.", examples=[[1.0, 0.75, 0.6]]
    )
    per: Duration | None = Field(None, gt=0, description="Time from one value to the next.", examples=["month"])
    points: dict[Duration, Factor] | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="Levels by the age from which they hold.",
        examples=[{"0d": 1.0, "90d": 0.6}],
    )
    interpolation: Interpolation = Field("step", description="Hold each level, or move to the next in a line.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        problem = knots_problem(self.values, self.per, self.points)
        if problem:
            raise ValueError(problem)
        return self

    @cached_property
    def course(self) -> Course:
        """The points in order of age."""
        if self.points is not None:
            return Course.of(self.points, self.interpolation)
        return Course.evenly(self.values or [1.0], 0, self.per or 1, self.interpolation)

    def at(self, age: Elapsed) -> Floats:
        """The level held or interpolated at each age."""
        return self.course.at(age)

    def turns(self) -> list[float]:
        """The points."""
        return [float(place) for place in self.course.places]


class ExponentialAge(Ageing):
    """Compound growth or decay with age."""

    type: Literal["exponential"]
    rate: GrowthRate = Field(description="Growth per period of age.", examples=["-10%/month"])

    def at(self, age: Elapsed) -> Floats:
        """exp(rate x age)."""
        return np.asarray(np.exp(np.minimum(self.rate * age, LARGEST)), dtype=np.float64)


class LinearAge(Ageing):
    """The same amount more, or less, in every period of age; at 0 it stays."""

    type: Literal["linear"]
    rate: Slope = Field(description="Change per period, relative to birth.", examples=["-5%/month"])

    def at(self, age: Elapsed) -> Floats:
        """1 + rate x age, at least 0."""
        return np.maximum(1 + self.rate * age, 0.0)

    def turns(self) -> list[float]:
        """Where it reaches 0."""
        return [-1 / self.rate] if self.rate < 0 else []


class LogarithmicAge(Ageing):
    """Growth (or decay) that slows down with age: a + b x ln(1 + age / per)."""

    type: Literal["logarithmic"]
    a: Factor = Field(1.0, description="Level at birth.", examples=[1.0])
    b: float = Field(ge=-1e6, le=1e6, description="Gain per e-fold of age.", examples=[0.15])
    per: Duration = Field(gt=0, description="Unit of age.", examples=["month"])

    def at(self, age: Elapsed) -> Floats:
        """a + b ln(1 + age / per), at least 0."""
        return np.maximum(self.a + self.b * np.log1p(age / self.per), 0.0)

    def turns(self) -> list[float]:
        """Where it reaches 0, and powers of two on the way, which cut it into smooth pieces."""
        spent = [self.per * float(np.expm1(-self.a / self.b))] if self.b < 0 and -self.a / self.b < LARGEST else []
        return [*spent, *(self.per * 2.0**k for k in range(-3, 40))]


class PowerAge(Ageing):
    """A power law: (1 + age / per) ** exponent, the form of many retention curves."""

    type: Literal["power"]
    exponent: float = Field(ge=-100, le=100, description="Negative falls, positive grows.", examples=[-0.5])
    per: Duration = Field(gt=0, description="Unit of age.", examples=["month"])

    def at(self, age: Elapsed) -> Floats:
        """(1 + age / per) ** exponent."""
        return np.asarray(np.exp(np.minimum(self.exponent * np.log1p(age / self.per), LARGEST)), dtype=np.float64)

    def turns(self) -> list[float]:
        """Powers of two, which cut it into smooth pieces."""
        return [self.per * 2.0**k for k in range(-3, 40)]


class LogisticAge(Ageing):
    """An S from one level to another."""

    type: Literal["logistic"]
    from_: Factor = Field(1.0, alias="from", description="Level at young ages.", examples=[1.0])
    to: Factor = Field(description="Level at high ages.", examples=[0.3])
    midpoint: Duration = Field(description="Age at which it is halfway.", examples=["6 months"])
    width: Duration = Field(gt=0, description="Age from 10% to 90% of the way.", examples=["3 months"])

    def at(self, age: Elapsed) -> Floats:
        """from + (to - from) / (1 + exp(-ln 81 x (age - midpoint) / width))."""
        return self.from_ + (self.to - self.from_) * sigmoid(
            np.asarray(age, dtype=np.float64) - self.midpoint, self.width
        )

    def turns(self) -> list[float]:
        """The midpoint, and points around it that cut the S into smooth pieces."""
        return [self.midpoint + self.width * k / 2 for k in range(-8, 9)]


class WeibullAge(Ageing):
    """The survival function of a Weibull distribution: exp(-(age / scale) ** shape)."""

    type: Literal["weibull"]
    scale: Duration = Field(gt=0, description="Age at which 37% is left.", examples=["1 year"])
    shape: float = Field(gt=0, le=100, description="Below 1 falls quickly at first, above 1 later.", examples=[0.7])

    def at(self, age: Elapsed) -> Floats:
        """exp(-(age / scale) ** shape)."""
        exponent = np.minimum(np.power(np.asarray(age) / self.scale, self.shape), LARGEST)
        return np.asarray(np.exp(-exponent), dtype=np.float64)

    def turns(self) -> list[float]:
        """Its quantiles on a wide grid, which cut it into smooth pieces."""
        return [self.scale * (2.0**k) ** (1 / self.shape) for k in np.arange(-24, 10, 0.5)]


AgeCurve = Annotated[
    ConstantAge | PointsAge | ExponentialAge | LinearAge | LogarithmicAge | PowerAge | LogisticAge | WeibullAge,
    Field(discriminator="type"),
]
"""One curve over age, by its `type`."""
