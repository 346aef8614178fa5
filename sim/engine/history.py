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

    def part(self, first: int, last: int) -> Transitions:
        """The changes from number `first` on and before number `last`."""
        own = slice(first, last)
        return Transitions(
            self.times[own], self.entities[own], self.source[own], self.target[own], self.reason[own], self.dwell[own]
        )

    def by_time(self) -> Transitions:
        """The same by (time, entity)."""
        return self.take(ordered(self.times, self.entities))


class Succession:
    """What happens to entities one after the other, by (entity, time): `entities` and `times`, int64[n] each.

    `size` is how many entities there are, whether anything happens to them or not; something does (n > 0).
    """

    def __init__(self, entities: Indices, times: Times, size: int) -> None:
        self._times = times
        new = np.ones(len(entities), dtype=np.bool_)
        np.not_equal(entities[1:], entities[:-1], out=new[1:])
        self._first = np.flatnonzero(new)
        self._end = np.append(self._first[1:], len(entities))
        self._place = np.empty(size, dtype=np.int64)
        self.entities = entities.take(self._first)
        """To whom something happens, ascending."""
        self._place[self.entities] = np.arange(len(self._first))
        self._most = int((self._end - self._first).max())

    def first(self, entities: Indices) -> Indices:
        """The first place of each entity, to all of whom something happens."""
        return self._first.take(self._place.take(entities))

    def last(self, entities: Indices, times: Times) -> Indices:
        """The last place of each entity at or before a time; -1 where there is none."""
        place = self._place.take(entities)
        last = self._reached(place, times)
        return np.where(last >= self._first.take(place), last, -1)

    def _reached(self, place: Indices, times: Times) -> Indices:
        """The last place at or before a time, the one before the first where there is none.

        `place` is where each stands among those to whom something happens.
        """
        last, end = self._first.take(place), self._end.take(place)
        last -= 1
        # Bisection within each entity's few places: a third of what searching among all of them costs.
        for step in (1 << bit for bit in reversed(range(self._most.bit_length()))):
            probe = last + step
            passed = self._times.take(probe, mode="clip") <= times
            passed &= probe < end
            last += passed if step == 1 else passed * step
        return last

    def final(self) -> Indices:
        """The last place of each of `entities`."""
        return self._end - 1


class History(Succession):
    """Changes of state by (entity, time)."""

    def __init__(self, changes: Transitions, size: int) -> None:
        super().__init__(changes.entities, changes.times, size)
        self.changes = changes
        # The states of each entity one after the other, the first of them that before its changes.
        self._course = np.empty(len(changes) + len(self._first), dtype=np.int8)
        self._course[self._first + np.arange(len(self._first))] = changes.source.take(self._first)
        self._course[np.arange(len(changes)) + 1 + self._place.take(changes.entities)] = changes.target

    def state(self, entities: Indices, times: Times) -> NDArray[np.int8]:
        """The state of each entity at a time: int8[n]. All of them change in the window."""
        place = self._place.take(entities)
        reached = self._reached(place, times)
        reached += place
        reached += 1
        return self._course.take(reached)

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
