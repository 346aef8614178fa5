"""Distributions of lengths of time, and the unions of all distributions.

Lengths have the shapes of `sim.maths.numbers` with `Duration`s for what carries a unit; their draws are microseconds,
at least 0.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter

from sim.maths.arrays import Floats
from sim.maths.counts import CountDistribution
from sim.maths.model import Shorthand
from sim.maths.normal import normal_cdf, normal_density
from sim.maths.numbers import (
    Beta,
    Constant,
    Distribution,
    Exponential,
    Gamma,
    Lognormal,
    Normal,
    Pareto,
    Poisson,
    Triangular,
    Uniform,
    Weibull,
)
from sim.maths.units import Duration

__all__ = ["CountDistribution", "Distribution", "DurationDistribution", "NumberDistribution"]

Length = Annotated[Duration, Field(gt=0)]


class ConstantDuration(Constant):
    """Always the same length of time."""

    value: Duration = Field(description="The length.", examples=["20d"])


class UniformDuration(Uniform):
    """All lengths between two are equally likely."""

    low: Duration = Field(description="Shortest.", examples=["1d"])
    high: Duration = Field(description="Longest.", examples=["5d"])


class NormalDuration(Normal):
    """The bell curve, of which what falls below 0 is 0."""

    mean_: Duration = Field(alias="mean", description="Expectation, before what is below 0 is raised.", examples=["2h"])
    sd: Duration = Field(description="Standard deviation.", examples=["20min"])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws, at least 0: float64[n]."""
        return np.maximum(super().draw(rng, n), 0.0)

    def mean(self) -> float:
        """The expectation of max(X, 0)."""
        if not self.sd:
            return float(self.mean_)
        z = self.mean_ / self.sd
        return float(self.mean_ * normal_cdf(np.array([z]))[0] + self.sd * normal_density(z))

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return np.where(np.asarray(x) < 0, 0.0, super().cdf(x))


class LognormalDuration(Lognormal):
    """What is normal in its logarithm."""

    median: Length = Field(description="Half of the lengths are below.", examples=["20d"])


class ExponentialDuration(Exponential):
    """The time to the next event of a Poisson process."""

    mean_: Length = Field(alias="mean", description="Expectation.", examples=["300d"])


class GammaDuration(Gamma):
    """Sums of exponentials: skewed, and the less so the larger the shape."""

    mean_: Length = Field(alias="mean", description="Expectation.", examples=["8min"])


class WeibullDuration(Weibull):
    """Lifetimes with a hazard that grows (shape > 1) or falls (shape < 1)."""

    scale: Length = Field(description="63% of the lengths are below.", examples=["90d"])


class BetaDuration(Beta):
    """A share of the way between two limits."""

    low: Duration = Field(0, description="Shortest.", examples=["0d"])
    high: Duration = Field(description="Longest.", examples=["30d"])


class TriangularDuration(Triangular):
    """Between two limits, with one length most likely."""

    low: Duration = Field(description="Shortest.", examples=["1d"])
    mode: Duration = Field(description="Most likely.", examples=["3d"])
    high: Duration = Field(description="Longest.", examples=["10d"])


class ParetoDuration(Pareto):
    """A power law above a minimum: few are very long."""

    minimum: Length = Field(description="Shortest.", examples=["10min"])


NumberDistribution = Annotated[
    Constant | Uniform | Normal | Lognormal | Exponential | Gamma | Weibull | Beta | Triangular | Pareto | Poisson,
    Field(discriminator="type"),
]
"""One distribution of plain numbers, by its `type`."""

_LENGTH = TypeAdapter(Duration).json_schema()

DurationDistribution = Annotated[
    Annotated[
        ConstantDuration
        | UniformDuration
        | NormalDuration
        | LognormalDuration
        | ExponentialDuration
        | GammaDuration
        | WeibullDuration
        | BetaDuration
        | TriangularDuration
        | ParetoDuration,
        Field(discriminator="type"),
    ],
    Shorthand("constant", "value", (str, int, float), _LENGTH),
]
"""One distribution of lengths of time, by its `type`; `20d` alone is constant."""
