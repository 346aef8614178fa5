"""Attributes that change: the value of each entity when the window begins, and the changes within it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.engine.growable import Growable, GrowableColumn
from sim.engine.history import Succession, ordered

Indices = NDArray[np.int64]
Times = NDArray[np.int64]

_NEVER = np.iinfo(np.int64).min
_SPARE = 1024
"""Categories that nobody has any more are dropped when there are so many of them, and as many as entities."""


class Varying:
    """One attribute of entities 0..n-1, as of any time of the present window.

    Changes may be posted in any order; of two at the same time, the later posted counts. When the window ends, `close`
    forgets all but the last of each entity, so that memory is that of the entities and of one window.
    """

    def __init__(self) -> None:
        self._base = GrowableColumn()
        self._tip: Indices | None = None
        self._clear()

    def extend(self, column: Column) -> None:
        """Take in the newborn, with the values that they are born with."""
        self._base.extend(column)

    def before(self, entities: Indices) -> Column:
        """The values at the start of the window; at birth, of those who are born in it."""
        return self._base.column.take(entities)

    def post(self, entities: Indices, times: Times, values: Column) -> None:
        """Note that `entities` have `values`, which have the attribute's type, from `times` on."""
        if not len(entities):
            return
        first = len(self._times)
        self._entities.extend(entities)
        self._times.extend(times)
        self._values.extend(values)
        if self._tip is not None:
            self._tip[entities] = np.arange(first, len(self._times))

    def at(self, entities: Indices, times: Times) -> Column:
        """The values of entities at times of the present window, changes at these very times included."""
        found = self.before(entities)
        if not len(self._times):
            return found
        places = self._places(entities, times)
        some = np.flatnonzero(places >= 0)
        if not len(some):
            return found
        rows = np.arange(len(entities))
        rows[some] = len(entities) + np.arange(len(some))
        return Column.concat([found, self._values.column.take(places[some])]).take(rows)

    def posted(self, since: int = 0) -> tuple[Indices, Times, Column] | None:
        """The changes of the present window in the order in which they were posted, from number `since` on."""
        count = len(self._times)
        if count <= since:
            return None
        return self._entities.values[since:], self._times.values[since:], self._values.column.slice(since, count)

    def begin_rounds(self) -> None:
        """From now on, an entity's changes are posted in the order of their times, and `at` sees each at once."""
        self._settle()
        self._tip = np.full(len(self._base.column), -1)

    def end_rounds(self) -> None:
        """The end of `begin_rounds`."""
        self._tip = None

    def close(self) -> None:
        """End the window."""
        if not len(self._times):
            return
        self._settle()
        assert self._succession is not None
        count, holders = len(self._base.column), self._succession.entities
        rows = np.arange(count)
        rows[holders] = count + np.arange(len(holders))
        last = self._values.column.take(self._order.take(self._succession.final()))
        self._base = GrowableColumn(_trimmed(Column.concat([self._base.column, last]).take(rows)))
        self._clear()

    def _clear(self) -> None:
        self._entities, self._times, self._values = Growable(np.int64), Growable(np.int64), GrowableColumn()
        self._succession: Succession | None = None
        self._order: Indices = np.empty(0, dtype=np.int64)
        self._changed: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

    def _settle(self) -> None:
        """Sort what was posted since the last time."""
        if len(self._order) == len(self._times):
            return
        entities, times = self._entities.values, self._times.values
        self._order = ordered(entities, times)
        size = len(self._base.column)
        self._succession = Succession(entities.take(self._order), times.take(self._order), size)
        self._changed = np.zeros(size, dtype=np.bool_)
        self._changed[self._succession.entities] = True

    def _places(self, entities: Indices, times: Times) -> Indices:
        """The number of the last change of each entity at or before a time, in the order of posting; -1 for none."""
        if self._tip is None:
            self._settle()
        places = np.full(len(entities), -1)
        if self._succession is not None:
            moving = np.flatnonzero(self._changed.take(entities))
            last = self._succession.last(entities[moving], times[moving])
            places[moving] = np.where(last >= 0, self._order.take(np.maximum(last, 0)), -1)
        return places if self._tip is None else self._later(places, self._tip.take(entities), times)

    def _later(self, places: Indices, tips: Indices, times: Times) -> Indices:
        """The later of two changes of each row, as far as the second is not after the row's time; -1 is none."""
        posted = self._times.values
        settled = np.where(places >= 0, posted.take(np.maximum(places, 0)), _NEVER)
        tip = np.where(tips >= 0, posted.take(np.maximum(tips, 0)), _NEVER)
        return np.where((tips >= 0) & (tip <= times) & (tip >= settled), tips, places)


def _trimmed(column: Column) -> Column:
    """The same column without the categories that nobody has, once these are many."""
    if column.categories is None or len(column.categories) < 2 * len(column) + _SPARE:
        return column
    used, codes = np.unique(column.values, return_inverse=True)
    return Column(codes.astype(np.int32), column.type, column.mask, column.categories.take(used))
