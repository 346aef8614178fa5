"""Looking up among those who still exist: the dead are left out window by window, and within a window by rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.attributes.column import Array, Column
from sim.attributes.popularity import Drawer, Even, Ranked, Tabled, Youngest
from sim.attributes.rows import Reference
from sim.attributes.weights import HeadTail, Recent, Zipf

_MOST_ROUNDS = 2_000
"""Draws of a row; who matches and has not ended is found long before, unless there is nobody."""


class Living:
    """A population without those who had ended when the window began. A `Reference`, by place among them.

    `ids` int64[m], ascending, are theirs, those who are born in the window among them.
    """

    mortal = False

    def __init__(self, reference: Reference, ids: Array) -> None:
        self.cache: dict[str, Any] = {}
        self.nominal = max(len(ids), 1)
        self.ids = ids
        self._reference = reference

    def born(self, times: Array) -> Array:
        """int64[n]: how many of them are born at or before each of `times`."""
        return self.below(self._reference.born(times))

    def below(self, limit: Array) -> Array:
        """int64[n]: how many of them have an id below each limit."""
        return np.searchsorted(self.ids, limit)

    def column(self, name: str, ids: Array, times: Array | None = None) -> Column:
        """What is known of those at the places `ids`."""
        return self._reference.column(name, self.ids[ids], times)

    def ended(self, ids: Array) -> Array:
        """int64[n]: when those at the places `ids` end."""
        return self._reference.ended(self.ids[ids])

    def living(self) -> Living:
        """Itself."""
        return self

    def drawer(self, ranked: Drawer, weights: Zipf | HeadTail | Recent | None) -> Drawer:
        """What draws places, with the weights that `ranked` gives to ids."""
        key = f"drawer/{weights!r}"
        if key not in self.cache:
            self.cache[key] = self._drawer(ranked, weights)
        made: Drawer = self.cache[key]
        return made

    def _drawer(self, ranked: Drawer, weights: Zipf | HeadTail | Recent | None) -> Drawer:
        if isinstance(weights, Recent):
            return Youngest(weights, self)
        return Selected(ranked, self.ids) if isinstance(ranked, Ranked) else Even()


class Selected(Tabled):
    """Weights by rank, of some of the ids."""

    def __init__(self, ranked: Ranked, ids: Array) -> None:
        super().__init__()
        self._ranked = ranked
        self._ids = ids

    def of(self, ids: Array) -> Array:
        """float64[n]: the weights of those at the places `ids`."""
        return self._ranked.of(self._ids[ids])


def among_living(
    living: Living, limit: Array, times: Array, draw: Callable[[Array, Array], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """int64[n] ids below `limit` of entities that exist at `times`, and bool[n], true where there is nobody.

    `draw` takes rows and their limits among the living, and gives places, and where there is nobody to choose.
    """
    places = living.below(limit)
    # Of those below a limit, the last to end says whether anybody is left.
    furthest = np.maximum.accumulate(np.append(np.iinfo(np.int64).min, living.ended(np.arange(len(living.ids)))))
    ids, missing = np.zeros(len(limit), np.int64), np.ones(len(limit), bool)
    waiting = np.flatnonzero(furthest[places] > times)
    for _ in range(_MOST_ROUNDS):
        if not len(waiting):
            break
        found, nobody = draw(waiting, places[waiting])
        there = ~nobody
        there[there] = living.ended(found[there]) > times[waiting[there]]
        ids[waiting[there]] = living.ids[found[there]]
        missing[waiting[there]] = False
        waiting = waiting[~there & ~nobody]
    return ids, missing
