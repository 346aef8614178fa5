"""The calendar: things that are known now and happen in a later tick."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.maths.distributions import DurationDistribution

_LONGEST = 2.0**60


@dataclass(frozen=True, slots=True)
class Pending:
    """Facts to be: when, whose, and the columns that they carry along."""

    times: NDArray[np.int64]
    entities: NDArray[np.int64]
    carried: dict[str, Column]

    def take(self, index: NDArray[np.int64]) -> Pending:
        """Those at `index`, in its order."""
        carried = {name: column.take(index) for name, column in self.carried.items()}
        return Pending(self.times[index], self.entities[index], carried)

    def where(self, mask: NDArray[np.bool_]) -> Pending:
        """Those for which `mask` is true, in their order; itself where that is all."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    @staticmethod
    def concat(pieces: list[Pending]) -> Pending:
        """All of `pieces`, which carry the same columns, one after the other."""
        if len(pieces) == 1:
            return pieces[0]
        names = pieces[0].carried
        return Pending(
            np.concatenate([piece.times for piece in pieces]),
            np.concatenate([piece.entities for piece in pieces]),
            {name: Column.concat([piece.carried[name] for piece in pieces]) for name in names},
        )


class Calendar:
    """Pending facts of one kind in one block, by the tick in which they fall due; at `end` it is too late."""

    def __init__(self, start: int, tick: int, end: int) -> None:
        self._start = start
        self._end = end
        self._tick = tick
        self._days: defaultdict[int, list[Pending]] = defaultdict(list)

    def add(self, pending: Pending) -> None:
        """Note `pending`, in any order, none of it before the present tick; what was before the run falls due first."""
        within = np.flatnonzero(pending.times < self._end)
        if not len(within):
            return
        if len(within) < len(pending.times):
            pending = pending.take(within)
        day = np.maximum((pending.times - self._start) // self._tick, 0)
        order = np.argsort(day, kind="stable")
        days, first = np.unique(day[order], return_index=True)
        for at, index in zip(days.tolist(), np.split(order, first[1:]), strict=True):
            self._days[at].append(pending.take(index))

    def due(self, number: int) -> Pending | None:
        """What falls into tick `number`, by ascending time (ties in the order of `add`), and forget it."""
        pieces = self._days.pop(number, None)
        if pieces is None:
            return None
        pending = Pending.concat(pieces)
        return pending.take(np.argsort(pending.times, kind="stable"))


def delays(
    distribution: DurationDistribution,
    rng: np.random.Generator,
    count: int,
    factor: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Draws as whole microseconds, at least 0, and short enough to be added to any time: int64[count].

    `factor` multiplies them, float64[count].
    """
    drawn = distribution.draw(rng, count)
    return np.clip(drawn if factor is None else drawn * factor, 0.0, _LONGEST).astype(np.int64)
