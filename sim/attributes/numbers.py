"""Generators of numbers: the distributions of `sim.maths`, as attributes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.maths import numbers as distributions
from sim.maths.counts import PoissonCount

MAX_WHOLE = 2**62


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
