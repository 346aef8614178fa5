"""The changes of state of one window, in the order in which they can be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LARGEST_KEY = 2**62

Indices = NDArray[np.int64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Transitions:
    """State changes within one window, by (time, entity); all arrays have one element per change."""

    times: Times
    entities: Indices
    source: NDArray[np.int8]
    target: NDArray[np.int8]
    reason: NDArray[np.int16]
    dwell: Times

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def none(cls) -> Transitions:
        """No changes at all."""
        times, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int8)
        return cls(times, times, codes, codes, np.empty(0, dtype=np.int16), times)

    @classmethod
    def together(cls, rounds: Sequence[Transitions]) -> Transitions:
        """Changes, one round after the other."""
        columns = zip(*((r.times, r.entities, r.source, r.target, r.reason, r.dwell) for r in rounds), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def take(self, rows: Indices) -> Transitions:
        """The changes at `rows`, in that order."""
        return Transitions(
            self.times.take(rows),
            self.entities.take(rows),
            self.source.take(rows),
            self.target.take(rows),
            self.reason.take(rows),
            self.dwell.take(rows),
        )

    def by_time(self) -> Transitions:
        """The same by (time, entity)."""
        return self.take(ordered(self.times, self.entities))

    def by_entity(self, size: int) -> History:
        """The same by (entity, time), of a population of `size`."""
        return History(self.take(ordered(self.entities, self.times)), size)


class History:
    """Changes by (entity, time). `size` is how many entities there are, whether they change or not."""

    def __init__(self, changes: Transitions, size: int) -> None:
        self.changes = changes
        new = np.ones(len(changes), dtype=np.bool_)
        np.not_equal(changes.entities[1:], changes.entities[:-1], out=new[1:])
        self._first = np.flatnonzero(new)
        self._end = np.append(self._first[1:], len(changes))
        self._place = np.empty(size, dtype=np.int64)
        self._place[changes.entities[self._first]] = np.arange(len(self._first))
        self._most = int((self._end - self._first).max())

    def first(self, entities: Indices) -> Indices:
        """The place in `changes` of the first change of each entity, all of which do change."""
        return self._first.take(self._place.take(entities))

    def last(self, entities: Indices, times: Times) -> Indices:
        """The place in `changes` of the last change of each entity at or before a time; -1 where there is none."""
        place = self._place.take(entities)
        first, end = self._first.take(place), self._end.take(place)
        last = first - 1
        # Bisection within each entity's few changes: a third of what searching among all of them costs.
        for step in (1 << bit for bit in reversed(range(self._most.bit_length()))):
            probe = last + step
            passed = self.changes.times.take(probe, mode="clip") <= times
            passed &= probe < end
            last += passed * step
        return np.where(last >= first, last, -1)

    def extremes(
        self, entities: Indices, factors: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest of the factors, which go by state, of all states of each of `entities`."""
        place = self._place.take(entities)
        before, after = factors[self.changes.source[self._first]], factors[self.changes.target]
        smallest = np.minimum(before, np.minimum.reduceat(after, self._first))
        largest = np.maximum(before, np.maximum.reduceat(after, self._first))
        return smallest.take(place), largest.take(place)


def ordered(major: NDArray[np.int64], minor: NDArray[np.int64]) -> Indices:
    """The stable order by (major, minor). Sorting both packed into one integer costs a quarter of np.lexsort."""
    if not len(major):
        return np.empty(0, dtype=np.int64)
    low, high = minor - minor.min(), major - major.min()
    span = int(low.max()) + 1
    if (int(high.max()) + 1) * span > _LARGEST_KEY:
        return np.lexsort((minor, major))
    keys = high * span + low
    order = np.argsort(keys)
    placed = keys[order]
    if np.any(placed[1:] == placed[:-1]):
        order = np.argsort(keys, kind="stable")
    return order
