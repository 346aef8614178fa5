"""Popularity: how the weights of many things fall with their rank."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from sim.attributes.column import Array
from sim.maths.model import Model
from sim.maths.units import Duration, Probability


class Zipf(Model):
    """The thing of rank r has a weight of r ** -exponent (Zipf 1949)."""

    type: Literal["zipf"]
    exponent: float = Field(1.0, ge=0, le=10, description="How steep: 0 is uniform.", examples=[1.1])

    def of_ranks(self, ranks: Array, size: int) -> Array:
        """Weights float64[n] of the ranks float64[n], each at least 1, among `size` things."""
        return np.asarray(np.power(ranks, -self.exponent))


class HeadTail(Model):
    """A small head of the things gets a large share, the tail the rest; uniform within each."""

    type: Literal["head_tail"]
    head: Probability = Field(0.2, gt=0, lt=1, description="The head's part of the things.", examples=["20%"])
    share: Probability = Field(0.8, description="The head's part of the draws.", examples=["80%"])

    def of_ranks(self, ranks: Array, size: int) -> Array:
        """Weights float64[n] of the ranks float64[n], each at least 1, among `size` things; at least one is head."""
        head = max(1.0, np.rint(self.head * size))
        tail = max(1.0, size - head)
        return np.asarray(np.where(ranks < head + 1, self.share / head, (1 - self.share) / tail))


Popularity = Annotated[Zipf | HeadTail, Field(discriminator="type")]
"""Weights by rank."""


class Evenly(Model):
    """Everything is equally likely."""

    type: Literal["uniform"]


class Recent(Model):
    """The younger the likelier: the weight falls exponentially with the age at the event time."""

    type: Literal["recent"]
    mean: Annotated[Duration, Field(gt=0)] = Field(
        description="Age at which the weight is down to 37%.", examples=["30d"]
    )


LookupWeights = Annotated[Evenly | Zipf | HeadTail | Recent, Field(discriminator="type")]
"""How a lookup prefers some entities to others."""
