"""Generators that choose from a list: `choice`, and `constant`, which chooses from one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Discriminator, Field, Tag, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column, strings
from sim.attributes.recoding import Scalar, scalar_type
from sim.attributes.rows import Rows
from sim.attributes.sampling import Alias, quantile
from sim.attributes.weights import Popularity
from sim.maths.units import Weight

MAX_VALUES = 1_000_000


class _Listed(Attribute):
    """A generator whose values are written in the scenario."""

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """Coded text, booleans, int64, or float64 where one number is not whole."""
        return scalar_type(self._listed)

    @property
    @abstractmethod
    def _listed(self) -> list[Scalar]: ...

    @cached_property
    def _pool(self) -> Column:
        kind = scalar_type(self._listed)
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_string(plain):
            return Column.of(strings([str(value) for value in self._listed]).dictionary_encode())
        return Column.of(pa.array(self._listed, plain))


def _form(value: object) -> str:
    return "weighted" if isinstance(value, Mapping) else "plain"


Values = Annotated[
    Annotated[dict[Scalar, Weight], Field(min_length=1, max_length=MAX_VALUES), Tag("weighted")]
    | Annotated[list[Scalar], Field(min_length=1, max_length=MAX_VALUES), Tag("plain")],
    Discriminator(_form),
]


class Choice(_Listed):
    """One of the listed values: equally likely, by weight, or by rank in the list."""

    type: Literal["choice"]
    values: Values = Field(
        description="A list, or a mapping from value to weight.", examples=[{"FR": 6, "DE": 3}, ["red", "green"]]
    )
    weights: Popularity | None = Field(
        None, description="Weights by place in the list, the first the most frequent.", examples=[{"type": "zipf"}]
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if isinstance(self.values, dict):
            if self.weights is not None:
                raise ValueError("'weights' goes with a list of values, not with a mapping that has weights already")
            if not sum(self.values.values()) > 0:
                raise ValueError("all weights are 0")
        scalar_type(self._listed)
        return self

    @property
    def _listed(self) -> list[Scalar]:
        return list(self.values)

    @cached_property
    def shares(self) -> Array:
        """float64[k]: the probability of each value, in the order of the list."""
        size = len(self.values)
        if isinstance(self.values, dict):
            weights = np.array(list(self.values.values()), np.float64)
        else:
            weights = np.ones(size) if self.weights is None else self._by_rank(self.weights, size)
        return np.asarray(weights / weights.sum())

    @staticmethod
    def _by_rank(weights: Any, size: int) -> Array:
        return np.asarray(weights.of_ranks(np.arange(1.0, size + 1), size))

    @cached_property
    def _alias(self) -> Alias:
        return Alias(self.shares)

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Independent choices."""
        return self._at(self._alias.draw(rng, len(rows)))

    def from_normal(self, normal: Array) -> Column:
        """Quantiles, in the order of the list."""
        return self._at(quantile(self.shares, normal).astype(np.int32))

    def _at(self, codes: Array) -> Column:
        """The values at the places `codes` of the list."""
        pool = self._pool
        if pool.categories is not None and len(pool.categories) == len(self.values):
            return Column(codes, pool.type, None, pool.categories)  # the codes are the positions: nothing to look up
        return pool.take(codes)


class Constant(_Listed):
    """The same value in every row."""

    type: Literal["constant"]
    value: Scalar = Field(description="The value.", examples=["EUR"])  # type: ignore[assignment]

    @property
    def by_value(self) -> bool:
        """Never: `value` is the value itself."""
        return False

    @property
    def _listed(self) -> list[Scalar]:
        return [self.value]

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """The value, for each row."""
        return self._pool.take(np.zeros(len(rows), np.int32))
