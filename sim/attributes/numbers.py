"""Generators of numbers: the distributions of `sim.maths`, as attributes."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.attributes.sampling import Alias, quantile
from sim.maths import numbers as distributions
from sim.maths.counts import PoissonCount
from sim.maths.normal import normal_cdf

MAX_WHOLE = 2**62
_TABLED = 100.0
"""Poisson counts of means up to this one come from a table."""


class NumberAttribute(Attribute):
    """Independent floating-point numbers from one distribution."""

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64."""
        return pa.float64()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One draw for each row."""
        return Column(self.draw(rng, len(rows)), pa.float64())

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """`n` independent draws: float64[n]."""

    def from_normal(self, normal: Array) -> Column:
        """Quantiles, of those distributions that have them in closed form."""
        if not isinstance(self, distributions.Invertible):
            return super().from_normal(normal)
        return Column(self.of_normal(normal), pa.float64())


class Uniform(distributions.Uniform, NumberAttribute):
    """Numbers, all equally likely, between two."""


class Normal(distributions.Normal, NumberAttribute):
    """Numbers along the bell curve."""


class Lognormal(distributions.Lognormal, NumberAttribute):
    """Numbers that are normal in their logarithm: amounts, prices."""


class Gamma(distributions.Gamma, NumberAttribute):
    """Skewed numbers above 0, the less skewed the larger the shape."""


class Beta(distributions.Beta, NumberAttribute):
    """Numbers between two limits, most of them around one place."""


class Exponential(distributions.Exponential, NumberAttribute):
    """Numbers above 0, the larger the rarer."""


class Weibull(distributions.Weibull, NumberAttribute):
    """Lifetimes and loads."""


class Pareto(distributions.Pareto, NumberAttribute):
    """Numbers above a minimum, few of them very large."""


class Triangular(distributions.Triangular, NumberAttribute):
    """Numbers between two limits, with one value most likely."""


class WholeAttribute(Attribute):
    """Independent whole numbers from one distribution."""

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """int64."""
        return pa.int64()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One draw for each row."""
        return Column(self.draw(rng, len(rows)), pa.int64())

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """`n` independent draws: int64[n]."""


class Poisson(PoissonCount, WholeAttribute):
    """Counts around a mean, with an optional minimum and maximum."""

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """`n` independent draws: int64[n]; of small means from a table, in 8 ns instead of 35."""
        if self.mean_ > _TABLED:
            return super().draw(rng, n)
        return np.take(self._counts, self._alias.draw(rng, n))

    def from_normal(self, normal: Array) -> Column:
        """Quantiles, of means up to 100."""
        if self.mean_ > _TABLED:
            raise ValueError(f"cannot be correlated: its mean is {self.mean_:g}; Poisson counts can up to {_TABLED:g}")
        return Column(self._counts[quantile(self._shares, normal)], pa.int64())

    @cached_property
    def _counts(self) -> Array:
        """The counts that the table has; together all others are rarer than a float64 uniform can tell."""
        most = math.ceil(self.mean_ + 12 * math.sqrt(self.mean_) + 30)
        return np.asarray(np.clip(np.arange(most + 1), self.min, self.max), dtype=np.int64)

    @cached_property
    def _alias(self) -> Alias:
        return Alias(self._shares)

    @cached_property
    def _shares(self) -> Array:
        k = np.arange(len(self._counts))
        log_factorial = np.concatenate(([0.0], np.cumsum(np.log(k[1:]))))
        log_mean = math.log(self.mean_) if self.mean_ else -math.inf
        with np.errstate(invalid="ignore"):
            powers = np.where(k > 0, k * log_mean, 0.0)
        return np.exp(powers - self.mean_ - log_factorial)


class Integer(WholeAttribute):
    """Whole numbers, all equally likely, between two."""

    type: Literal["integer"]
    low: int = Field(ge=-MAX_WHOLE, le=MAX_WHOLE, description="Lowest number.", examples=[1])
    high: int = Field(ge=-MAX_WHOLE, le=MAX_WHOLE, description="Highest number, included.", examples=[6])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError("'high' must not be below 'low'")
        return self

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """`n` independent draws: int64[n]."""
        return rng.integers(self.low, self.high, n, endpoint=True)

    def from_normal(self, normal: Array) -> Column:
        """Quantiles, of ranges that floating-point numbers resolve."""
        width = self.high - self.low + 1
        if width > 2**52:
            raise ValueError("cannot be correlated: its range is wider than 2^52")
        return Column(self.low + np.minimum(normal_cdf(normal) * width, width - 1).astype(np.int64), pa.int64())
