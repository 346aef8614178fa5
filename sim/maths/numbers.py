"""Distributions of plain numbers: parameters, their checks, draws and means in one class each."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sim.maths.arrays import Floats
from sim.maths.model import Model
from sim.maths.normal import normal_cdf
from sim.maths.special import beta_cdf, gamma_cdf

Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Positive = Annotated[float, Field(gt=0, le=1e15)]
NotNegative = Annotated[float, Field(ge=0, le=1e15)]
Shape = Annotated[float, Field(gt=0, le=1e6)]

_NARROW = 1e-300


class Distribution(Model, ABC):
    """A distribution on the real line."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """`n` independent draws: float64[n]."""

    @abstractmethod
    def mean(self) -> float:
        """The expectation; infinite where there is none."""


class Constant(Distribution):
    """Always the same."""

    type: Literal["constant"]
    value: Number = Field(description="The value.", examples=[20])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """`value`, n times; uses no randomness."""
        return np.full(n, float(self.value))

    def mean(self) -> float:
        """The value."""
        return float(self.value)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return np.asarray(x >= self.value, dtype=np.float64)


class Uniform(Distribution):
    """All values between two are equally likely."""

    type: Literal["uniform"]
    low: Number = Field(description="Lowest value.", examples=[5])
    high: Number = Field(description="Highest value.", examples=[15])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError("'high' must not be below 'low'")
        return self

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return rng.uniform(self.low, self.high, n)

    def mean(self) -> float:
        """Halfway."""
        return (self.low + self.high) / 2

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        width = self.high - self.low
        return np.clip((x - self.low) / width, 0, 1) if width else np.asarray(x >= self.low, dtype=np.float64)


class Normal(Distribution):
    """The bell curve."""

    type: Literal["normal"]
    mean_: Number = Field(alias="mean", description="Expectation.", examples=[100])
    sd: NotNegative = Field(description="Standard deviation.", examples=[15])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return rng.normal(self.mean_, self.sd, n)

    def mean(self) -> float:
        """The parameter."""
        return float(self.mean_)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return normal_cdf((x - self.mean_) / self.sd) if self.sd else np.asarray(x >= self.mean_, dtype=np.float64)


class Lognormal(Distribution):
    """What is normal in its logarithm: amounts, prices, delays."""

    type: Literal["lognormal"]
    median: Positive = Field(description="Half of the values are below.", examples=[35])
    sigma: float = Field(ge=0, le=10, description="Standard deviation of the logarithm.", examples=[0.8])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return np.asarray(self.median * np.exp(self.sigma * rng.standard_normal(n)), dtype=np.float64)

    def mean(self) -> float:
        """median x exp(sigma^2 / 2)."""
        return self.median * math.exp(self.sigma**2 / 2)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        if not self.sigma:
            return np.asarray(x >= self.median, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return normal_cdf(np.log(np.maximum(x, 0) / self.median) / self.sigma)


class Exponential(Distribution):
    """The time to the next event of a Poisson process."""

    type: Literal["exponential"]
    mean_: Positive = Field(alias="mean", description="Expectation.", examples=[300])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return rng.exponential(self.mean_, n)

    def mean(self) -> float:
        """The parameter."""
        return float(self.mean_)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return np.asarray(-np.expm1(-np.maximum(x, 0) / self.mean_), dtype=np.float64)


class Gamma(Distribution):
    """Sums of exponentials: skewed, and the less so the larger the shape."""

    type: Literal["gamma"]
    mean_: Positive = Field(alias="mean", description="Expectation.", examples=[8])
    shape: Shape = Field(description="1 is exponential; larger is narrower.", examples=[3])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return rng.gamma(self.shape, self.mean_ / self.shape, n)

    def mean(self) -> float:
        """The parameter."""
        return float(self.mean_)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return np.array([gamma_cdf(self.shape, value) for value in x * (self.shape / self.mean_)])


class Weibull(Distribution):
    """Lifetimes with a hazard that grows (shape > 1) or falls (shape < 1)."""

    type: Literal["weibull"]
    scale: Positive = Field(description="63% of the values are below.", examples=[10])
    shape: Shape = Field(description="1 is exponential; larger is narrower.", examples=[1.5])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return self.scale * rng.weibull(self.shape, n)

    def mean(self) -> float:
        """scale x gamma(1 + 1 / shape)."""
        order = 1 + 1 / self.shape
        return self.scale * math.gamma(order) if order < 170 else math.inf

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        return np.asarray(-np.expm1(-np.power(np.maximum(x, 0) / self.scale, self.shape)), dtype=np.float64)


class Beta(Distribution):
    """A share between two limits."""

    type: Literal["beta"]
    a: Shape = Field(description="First shape; larger moves the mean to `high`.", examples=[2])
    b: Shape = Field(description="Second shape; larger moves the mean to `low`.", examples=[5])
    low: Number = Field(0, description="Lowest value.")
    high: Number = Field(1, description="Highest value.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError("'high' must not be below 'low'")
        return self

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return self.low + (self.high - self.low) * rng.beta(self.a, self.b, n)

    def mean(self) -> float:
        """low + (high - low) a / (a + b)."""
        return self.low + (self.high - self.low) * self.a / (self.a + self.b)

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        width = self.high - self.low
        if not width:
            return np.asarray(x >= self.low, dtype=np.float64)
        return np.array([beta_cdf(self.a, self.b, value) for value in (x - self.low) / width])


class Triangular(Distribution):
    """Between two limits, with one value most likely."""

    type: Literal["triangular"]
    low: Number = Field(description="Lowest value.", examples=[1])
    mode: Number = Field(description="Most likely value.", examples=[3])
    high: Number = Field(description="Highest value.", examples=[10])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.mode <= self.high or self.low == self.high:
            raise ValueError("low <= mode <= high must hold, and 'low' must be below 'high'")
        return self

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return rng.triangular(self.low, self.mode, self.high, n)

    def mean(self) -> float:
        """(low + mode + high) / 3."""
        return (self.low + self.mode + self.high) / 3

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        x, width = np.clip(x, self.low, self.high), self.high - self.low
        rising = (x - self.low) ** 2 / (width * max(self.mode - self.low, _NARROW))
        falling = 1 - (self.high - x) ** 2 / (width * max(self.high - self.mode, _NARROW))
        return np.where(x < self.mode, rising, falling)


class Pareto(Distribution):
    """A power law above a minimum: few are very large."""

    type: Literal["pareto"]
    minimum: Positive = Field(description="Lowest value.", examples=[10])
    shape: Shape = Field(description="Tail exponent; the mean is finite above 1.", examples=[2.5])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: float64[n]."""
        return self.minimum * (1 + rng.pareto(self.shape, n))

    def mean(self) -> float:
        """minimum x shape / (shape - 1), infinite for shapes up to 1."""
        return self.minimum * self.shape / (self.shape - 1) if self.shape > 1 else math.inf

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""
        ratio = self.minimum / np.maximum(x, self.minimum)
        return np.asarray(1 - np.power(ratio, self.shape), dtype=np.float64)


class Poisson(Distribution):
    """How many events of a Poisson process fall into a period."""

    type: Literal["poisson"]
    mean_: float = Field(alias="mean", ge=0, le=1e12, description="Expectation.", examples=[1.4])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws, whole numbers: float64[n]."""
        return rng.poisson(self.mean_, n).astype(np.float64)

    def mean(self) -> float:
        """The parameter."""
        return float(self.mean_)
