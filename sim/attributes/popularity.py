"""Drawing entities of a population that grows: each by a weight of its own, among those born by the time of the draw.

The tables live in the population's `Reference.cache`, extended as entities are born. An entity's weight never
changes and depends on nothing but the seed and its id, so that every shard draws from the same table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from sim.attributes.column import Array
from sim.attributes.rows import Reference, Rows
from sim.attributes.sampling import Cumulative, mix
from sim.attributes.weights import HeadTail, Recent, Zipf


class Drawer(Protocol):
    """Draws ids from those below a limit."""

    def draw(self, rng: np.random.Generator, limit: Array) -> Array:
        """int64[n]: for each row an id below its `limit` int64[n]; 0 where the limit is 0."""


class Even:
    """All entities are equally likely."""

    def draw(self, rng: np.random.Generator, limit: Array) -> Array:
        """int64[n], in 6 ns a row."""
        place = rng.random(len(limit))
        place *= limit
        return np.asarray(place.astype(np.int64))


class Tabled(ABC):
    """Draws from a table of weights that grows as entities are born."""

    def __init__(self) -> None:
        self._table = Cumulative()

    @abstractmethod
    def of(self, ids: Array) -> Array:
        """float64[n]: the weights of ids int64[n]."""

    def draw(self, rng: np.random.Generator, limit: Array) -> Array:
        """int64[n], in about 20 ns a row."""
        most = int(limit.max(initial=0))
        if most > len(self._table):
            self._table.extend(self.of(np.arange(len(self._table), most)))
        x = rng.random(len(limit))
        x *= np.take(self._table.sums, limit)
        found = self._table.search(x)
        return np.asarray(np.maximum(np.minimum(found, limit - 1), 0))


class Ranked(Tabled):
    """Weights by rank, ranks dealt to ids in a seeded order, so that what is popular is not simply what is old."""

    def __init__(self, weights: Zipf | HeadTail, reference: Reference, rng: np.random.Generator) -> None:
        super().__init__()
        self._weights = weights
        self._nominal = reference.nominal
        self._ranks = rng.permutation(self._nominal).astype(np.int32)
        self._seed = int(rng.integers(2**63))

    def of(self, ids: Array) -> Array:
        """float64[n]: the weights of ids int64[n]; those beyond the nominal size rank anywhere among the others."""
        ranks = 1.0 + mix(self._seed, ids) * self._nominal
        dealt = ids < self._nominal
        ranks[dealt] = 1.0 + self._ranks[ids[dealt]]
        return self._weights.of_ranks(ranks, self._nominal)


class Youngest:
    """Weights that fall exponentially with age.

    All weights fall at the same pace, so their proportions stay: born at b, it may as well be exp(b / mean) for ever.
    The logarithms of its sums are kept, since exp(b / mean) itself soon overflows.
    """

    def __init__(self, weights: Recent, reference: Reference) -> None:
        self._mean = weights.mean
        self._reference = reference
        self._origin = 0
        self._logs: Array = np.zeros(0)

    def draw(self, rng: np.random.Generator, limit: Array) -> Array:
        """int64[n]; a binary search a row."""
        self._extend(int(limit.max(initial=0)))
        u = 1.0 - rng.random(len(limit))
        if not len(self._logs):
            return np.zeros(len(limit), np.int64)
        target = np.log(u) + self._logs[np.maximum(limit - 1, 0)]
        found = np.searchsorted(self._logs, target)
        return np.asarray(np.maximum(np.minimum(found, limit - 1), 0))

    def _extend(self, most: int) -> None:
        known = len(self._logs)
        if most <= known:
            return
        births = self._reference.column("born_at", np.arange(known, most)).values
        if not known:
            self._origin = int(births[0])
        logs = (births - self._origin) / self._mean
        chained = np.logaddexp.accumulate(np.concatenate([self._logs[-1:], logs]))
        self._logs = np.concatenate([self._logs, chained[min(known, 1) :]])


def drawer(entity: str, weights: Zipf | HeadTail | Recent | None, rows: Rows) -> Drawer:
    """What draws entities of a kind by some weights: made at first need, then found in the population's cache.

    Streams that use the same weights find the same entities popular.
    """
    if weights is None:
        return Even()
    reference = rows.reference(entity)
    key = f"drawer/{weights!r}"
    if key not in reference.cache:
        reference.cache[key] = _make(entity, weights, reference, rows)
    made: Drawer = reference.cache[key]
    return made


def _make(entity: str, weights: Zipf | HeadTail | Recent, reference: Reference, rows: Rows) -> Drawer:
    if isinstance(weights, Recent):
        return Youngest(weights, reference)
    return Ranked(weights, reference, rows.shared_rng(f"popularity/{entity}"))
