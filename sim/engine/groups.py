"""Composition-rejection: choosing entities in proportion to their weights (Slepoy, Thompson and Plimpton 2008).

Entities sit in groups by the level of an upper bound on their weight, a quarter of an octave each. An entity is chosen
by drawing a group in proportion to members x bound, a member uniformly, and accepting it with probability weight/bound:
that last test is the caller's, who can fold into it whatever else makes the weight smaller at the exact time. The cost
of a draw depends neither on the number of entities nor on how unequal they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.growable import Growable

PER_OCTAVE = 4
HIGHEST_OCTAVE = 100
"""Weights up to 2**100 have a group; those below 2**-40 share the lowest: more candidates, and no less exact."""

_LOWEST = -40 * PER_OCTAVE
_HIGHEST = HIGHEST_OCTAVE * PER_OCTAVE
_GROUPS = _HIGHEST - _LOWEST + 1
NONE = np.int16(-1)
_SPARE = 16
_BOUNDS = np.exp2(np.arange(_LOWEST, _HIGHEST + 1) / PER_OCTAVE)

Indices = NDArray[np.int64]


def groups_of(log2_bounds: NDArray[np.floating]) -> NDArray[np.int16]:
    """The group of each log2 of a bound (at most `HIGHEST_OCTAVE`), int16; -inf (weight zero) is `NONE`."""
    # The millionth absorbs the rounding of float32 logarithms: a bound may be loose, never too small.
    level = np.ceil(log2_bounds * PER_OCTAVE + (1e-5 - _LOWEST))
    groups: NDArray[np.int16] = np.clip(level, 0, _GROUPS - 1).astype(np.int16)
    groups[log2_bounds == -np.inf] = NONE
    return groups


class Groups:
    """The entities of one block, grouped by their bounds. Entities are local indices 0..n-1."""

    def __init__(self) -> None:
        self._group = Growable(np.int16)
        self._position = Growable(np.int32)
        self._flat = Growable(np.int32)
        self._start = np.zeros(_GROUPS, dtype=np.int64)
        self._size = np.zeros(_GROUPS, dtype=np.int64)
        self._room = np.zeros(_GROUPS, dtype=np.int64)

    def admit(self, count: int) -> None:
        """Make place for `count` more entities, in no group yet."""
        self._group.extend(np.full(count, NONE, dtype=np.int16))
        self._position.extend(np.zeros(count, dtype=np.int32))

    @property
    def total(self) -> float:
        """Sum of the bounds of all members."""
        return float(self._size @ _BOUNDS)

    def bounds(self, entities: Indices) -> NDArray[np.float64]:
        """The bound in force for each entity, which must be in a group."""
        return _BOUNDS.take(self._group.values.take(entities))

    def member(self, entities: Indices) -> NDArray[np.bool_]:
        """Whether each entity is in a group: not where its weight is zero."""
        member: NDArray[np.bool_] = self._group.values.take(entities) != NONE
        return member

    def assign(self, entities: Indices, groups: NDArray[np.int16]) -> Indices:
        """Move `entities` (unique) to `groups`; returns those whose group did change and that are in one now."""
        before = self._group.values.take(entities)
        changed = np.flatnonzero(before != groups)
        entities, before, groups = entities.take(changed), before.take(changed), groups.take(changed)
        leaving, joining = np.flatnonzero(before != NONE), np.flatnonzero(groups != NONE)
        self._remove(entities.take(leaving), before.take(leaving))
        self._group.values[entities] = groups
        entities = entities.take(joining)
        self._add(entities, groups.take(joining))
        return entities

    def draw(self, rng: np.random.Generator, count: int) -> Indices:
        """`count` independent entities, each with probability bound / total, in random order: int64[count]."""
        used = np.flatnonzero(self._size)
        share = self._size[used] * _BOUNDS[used]
        counts = rng.multinomial(count, share / share.sum())
        slots = rng.random(count)
        slots *= np.repeat(self._size[used].astype(np.float64), counts)
        picked = slots.astype(np.int64)
        picked += np.repeat(self._start[used], counts)
        entities = self._flat.values.take(picked).astype(np.int64)
        rng.shuffle(entities)
        return entities

    def _remove(self, entities: Indices, groups: NDArray[np.int16]) -> None:
        """Fill the holes that `entities`, members of `groups`, leave with the last members of these."""
        entities = entities.take(np.argsort(groups, kind="stable"))
        leaving = np.bincount(groups, minlength=_GROUPS)
        self._size -= leaving
        used = np.flatnonzero(leaving)
        counts, ends = leaving[used], self._start[used] + self._size[used]
        position, flat = self._position.values, self._flat.values
        slots = position.take(entities)
        holes = slots.take(np.flatnonzero(slots < np.repeat(ends, counts)))
        position[entities] = -1
        tails = flat.take(_ranges(ends, counts))
        fillers = tails.take(np.flatnonzero(position.take(tails) >= 0))
        flat[holes] = fillers
        position[fillers] = holes

    def _add(self, entities: Indices, groups: NDArray[np.int16]) -> None:
        """Put `entities`, members of no group, at the ends of `groups`."""
        joining = np.bincount(groups, minlength=_GROUPS)
        short = np.flatnonzero(self._size + joining > self._room)
        if len(short):
            self._make_room(short, joining[short])
        entities = entities.take(np.argsort(groups, kind="stable"))
        used = np.flatnonzero(joining)
        slots = _ranges(self._start[used] + self._size[used], joining[used])
        self._flat.values[slots] = entities
        self._position.values[entities] = slots
        self._size += joining

    def _make_room(self, groups: Indices, joining: Indices) -> None:
        """Move groups to where they can grow: to the end, with half as much room again as they need now."""
        sizes = self._size[groups]
        room = sizes + joining
        room += room // 2 + _SPARE
        starts = len(self._flat) + np.cumsum(room) - room
        members = self._flat.values.take(_ranges(self._start[groups], sizes))
        self._flat.extend(np.zeros(int(room.sum()), dtype=np.int32))
        slots = _ranges(starts, sizes)
        self._flat.values[slots] = members
        self._position.values[members] = slots
        self._start[groups], self._room[groups] = starts, room


def _ranges(starts: Indices, lengths: Indices) -> Indices:
    """The integers of [start, start + length) for each pair, one after the other."""
    total = int(lengths.sum())
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(total, dtype=np.int64)
