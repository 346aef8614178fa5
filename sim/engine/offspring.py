"""Who are an entity's children: the index from parents to the entities of a child population."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.block import Block

Indices = NDArray[np.int64]


class Offspring:
    """The children in `children`, a block of a child population, of the entities of the parent's block."""

    def __init__(self, children: Block) -> None:
        assert children.parent is not None
        order = np.argsort(children.parents, kind="stable")
        counts = np.bincount(children.parents, minlength=len(children.parent))
        self.mortal = children.machine is not None and bool(children.machine.machine.terminal.any())
        """Whether children may end while their parents go on."""
        self._children = children
        self._order = order
        self._ids = children.ids[order]
        self._births = children.births[order]
        self._count = counts
        self._first = np.cumsum(counts) - counts
        self._last_birth = int(children.births[-1]) if len(order) else 0

    def of(self, parents: Indices, times: NDArray[np.int64]) -> tuple[Indices, Indices, Indices]:
        """For each parent, first position and number of the children born by the time, and the ids at positions."""
        first, count = self._first[parents], self._count[parents]
        if len(times) and self._last_birth > times.min():
            count = self._born(first, count, times)
        return first, count, self._ids

    def living(self, first: Indices, count: Indices, times: NDArray[np.int64]) -> tuple[Indices, Indices, Indices]:
        """The same as `of`, from what that gave, without those who have ended by the times."""
        row = np.repeat(np.arange(len(first)), count)
        child = self._order[np.arange(len(row)) + np.repeat(first - np.cumsum(count) + count, count)]
        there = np.flatnonzero(self._children.ended(child) > times[row])
        left = np.bincount(row[there], minlength=len(first))
        return np.cumsum(left) - left, left, self._children.ids[child[there]]

    def _born(self, first: Indices, count: Indices, times: NDArray[np.int64]) -> Indices:
        """How many of each family are born by a time: the first ones, as they are in order of birth, by bisection."""
        low, high = np.zeros_like(count), count
        for _ in range(int(count.max(initial=0)).bit_length()):
            middle = (low + high) // 2
            place = np.minimum(first + middle, len(self._births) - 1)
            born = (low < high) & (self._births[place] <= times)
            low, high = np.where(born, middle + 1, low), np.where(born, high, middle)
        return low
