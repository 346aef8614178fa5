"""Distributions of counts: how many children, how many items."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sim.maths.arrays import Floats, Times
from sim.maths.model import Model, Shorthand

MAX_COUNT = 1_000_000


class Count(Model, ABC):
    """A distribution on 0, 1, 2 ..., of which what is below `min` is raised to it, and what is above `max` lowered."""

    min: int = Field(0, ge=0, le=MAX_COUNT, description="Draws below are raised to it.", examples=[1])
    max: int | None = Field(None, ge=0, le=MAX_COUNT, description="Draws above are lowered to it.", examples=[20])

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError("'max' must not be below 'min'")
        return self

    def draw(self, rng: np.random.Generator, n: int) -> Times:
        """`n` independent counts: int64[n]."""
        return np.asarray(np.clip(self._draw(rng, n), self.min, self.max), dtype=np.int64)

    def mean(self) -> float:
        """The exact expectation of a draw, `min` and `max` taken into account."""
        # E max(X, min) adds P(X <= k) for each k < min; lowering to max takes P(X > k) away for each k >= max
        raised = self._mean() + float(self._cdf(np.arange(self.min)).sum())
        if self.max is None:
            return raised
        above = self._mean() - float((1 - self._cdf(np.arange(self.max))).sum())
        return raised - above

    def cdf(self, k: Times) -> Floats:
        """P(X <= k), `min` and `max` taken into account: float64[n] for whole numbers int64[n]."""
        known = self._cdf(np.arange(int(k.max(initial=0)) + 1))[np.maximum(k, 0)]
        raised = np.where(k < self.min, 0.0, known)
        return raised if self.max is None else np.where(k >= self.max, 1.0, raised)

    @abstractmethod
    def _draw(self, rng: np.random.Generator, n: int) -> Times: ...

    @abstractmethod
    def _mean(self) -> float: ...

    @abstractmethod
    def _cdf(self, k: Times) -> Floats: ...


class FixedCount(Count):
    """Always the same count."""

    type: Literal["fixed"]
    n: int = Field(ge=0, le=MAX_COUNT, description="The count.", examples=[2])

    def _draw(self, rng: np.random.Generator, n: int) -> Times:
        return np.full(n, self.n, dtype=np.int64)

    def _mean(self) -> float:
        return float(self.n)

    def _cdf(self, k: Times) -> Floats:
        return np.asarray(k >= self.n, dtype=np.float64)


class PoissonCount(Count):
    """As many as independent events in a period."""

    type: Literal["poisson"]
    mean_: float = Field(alias="mean", ge=0, le=MAX_COUNT, description="Expectation, before min and max.", examples=[2])

    def _draw(self, rng: np.random.Generator, n: int) -> Times:
        return rng.poisson(self.mean_, n)

    def _mean(self) -> float:
        return self.mean_

    def _cdf(self, k: Times) -> Floats:
        if not self.mean_:
            return np.ones(len(k))
        log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, len(k))))))[: len(k)]
        return np.cumsum(np.exp(k * math.log(self.mean_) - self.mean_ - log_factorial))


class UniformCount(Count):
    """All whole numbers from low to high are equally likely."""

    type: Literal["uniform"]
    low: int = Field(ge=0, le=MAX_COUNT, description="Lowest count.", examples=[1])
    high: int = Field(ge=0, le=MAX_COUNT, description="Highest count, included.", examples=[5])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError("'high' must not be below 'low'")
        return self

    def _draw(self, rng: np.random.Generator, n: int) -> Times:
        return rng.integers(self.low, self.high, n, endpoint=True)

    def _mean(self) -> float:
        return (self.low + self.high) / 2

    def _cdf(self, k: Times) -> Floats:
        return np.clip((k - self.low + 1) / (self.high - self.low + 1), 0.0, 1.0)


class GeometricCount(Count):
    """How often something repeats before it stops: 0, 1, 2 ..., each less likely by the same factor."""

    type: Literal["geometric"]
    mean_: float = Field(alias="mean", ge=0, le=MAX_COUNT, description="Expectation, before min and max.", examples=[2])

    def _draw(self, rng: np.random.Generator, n: int) -> Times:
        return rng.geometric(1 / (1 + self.mean_), n) - 1

    def _mean(self) -> float:
        return self.mean_

    def _cdf(self, k: Times) -> Floats:
        stay = self.mean_ / (1 + self.mean_)
        return np.asarray(1 - np.power(stay, k + 1), dtype=np.float64)


_COUNT = {"type": "integer", "minimum": 0, "maximum": MAX_COUNT}

CountDistribution = Annotated[
    Annotated[FixedCount | PoissonCount | UniformCount | GeometricCount, Field(discriminator="type")],
    Shorthand("fixed", "n", (int,), _COUNT),
]
"""One distribution of counts, by its `type`; a plain number is fixed."""
