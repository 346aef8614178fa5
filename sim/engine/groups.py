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
_BOUNDS = np.exp2(np.arange(_LOWEST, _HIGHEST + 1) / PER_OCTAVE)

Indices = NDArray[np.int64]


def groups_of(log2_bounds: NDArray[np.floating]) -> NDArray[np.int16]:
    """The group of each log2 of a bound (at most `HIGHEST_OCTAVE`), int16; -inf (weight zero) is `NONE`."""
    with np.errstate(invalid="ignore"):
        # The millionth absorbs the rounding of float32 logarithms: a bound may be loose, never too small.
        level = np.ceil(log2_bounds * PER_OCTAVE + 1e-5)
    level = np.clip(level, _LOWEST, _HIGHEST) - _LOWEST
    return np.where(np.isneginf(log2_bounds), NONE, level).astype(np.int16)


class Groups:
    """The entities of one block, grouped by their bounds. Entities are local indices 0..n-1."""

    def __init__(self) -> None:
        self._group = Growable(np.int16)
        self._position = Growable(np.int64)
        self._flat = np.empty(0, dtype=np.int64)
        self._start = np.zeros(_GROUPS, dtype=np.int64)
        self._size = np.zeros(_GROUPS, dtype=np.int64)
        self._room = np.zeros(_GROUPS, dtype=np.int64)

    def admit(self, count: int) -> None:
        """Make place for `count` more entities, in no group yet."""
        self._group.extend(np.full(count, NONE, dtype=np.int16))
        self._position.extend(np.zeros(count, dtype=np.int64))

    @property
    def total(self) -> float:
        """Sum of the bounds of all members."""
        return float(self._size @ _BOUNDS)

    def bounds(self, entities: Indices) -> NDArray[np.float64]:
        """The bound in force for each entity, which must be in a group."""
        return _BOUNDS.take(self._group.values[entities])

    def member(self, entities: Indices) -> NDArray[np.bool_]:
        """Whether each entity is in a group: not where its weight is zero."""
        member: NDArray[np.bool_] = self._group.values[entities] != NONE
        return member

    def assign(self, entities: Indices, groups: NDArray[np.int16]) -> Indices:
        """Move `entities` (unique) to `groups`; returns those whose group did change."""
        changed = self._group.values[entities] != groups
        entities, groups = entities[changed], groups[changed]
        if len(entities):
            self._remove(entities)
            self._group.values[entities] = groups
            self._add(entities[groups != NONE])
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
        entities = self._flat.take(picked)
        rng.shuffle(entities)
        return entities

    def _remove(self, entities: Indices) -> None:
        """Fill the holes that `entities` leave with the last members of their groups."""
        groups = self._group.values[entities]
        member = groups != NONE
        entities, groups = entities[member], groups[member]
        if not len(entities):
            return
        entities = entities[np.argsort(groups, kind="stable")]
        leaving = np.bincount(groups, minlength=_GROUPS)
        remaining = self._size - leaving
        position = self._position.values
        slots = position[entities]
        offset = slots - np.repeat(self._start, leaving)
        holes = slots[offset < np.repeat(remaining, leaving)]
        position[entities] = -1
        used = np.flatnonzero(leaving)
        tails = self._flat[_ranges(self._start[used] + remaining[used], leaving[used])]
        fillers = tails[position[tails] >= 0]
        self._flat[holes] = fillers
        position[fillers] = holes
        self._size = remaining

    def _add(self, entities: Indices) -> None:
        groups = self._group.values[entities]
        joining = np.bincount(groups, minlength=_GROUPS)
        if np.any(self._size + joining > self._room):
            self._lay_out()
            return
        entities = entities[np.argsort(groups, kind="stable")]
        used = np.flatnonzero(joining)
        slots = _ranges(self._start[used] + self._size[used], joining[used])
        self._flat[slots] = entities
        self._position.values[entities] = slots
        self._size += joining

    def _lay_out(self) -> None:
        """Write all groups anew, one after the other, each with room to grow by half."""
        groups = self._group.values
        order = np.argsort(groups, kind="stable")
        order = order[np.searchsorted(groups[order], 0) :]
        self._size = np.bincount(groups[order], minlength=_GROUPS)
        self._room = np.where(self._size > 0, self._size + self._size // 2 + 16, 0)
        self._start = np.cumsum(self._room) - self._room
        self._flat = np.zeros(int(self._room.sum()), dtype=np.int64)
        used = np.flatnonzero(self._size)
        slots = _ranges(self._start[used], self._size[used])
        self._flat[slots] = order
        self._position.values[order] = slots


def _ranges(starts: Indices, lengths: Indices) -> Indices:
    """The integers of [start, start + length) for each pair, one after the other."""
    total = int(lengths.sum())
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(total, dtype=np.int64)
