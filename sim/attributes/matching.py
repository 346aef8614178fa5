"""Drawing entities of a growing population among those that share values with the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sim.attributes.column import Array, Column
from sim.attributes.popularity import Tabled
from sim.attributes.rows import Reference
from sim.attributes.sampling import Cumulative


@dataclass(frozen=True, slots=True)
class Group:
    """For each row the entities to choose from, as places in a part: the first, how many, and their summed weight."""

    first: Array
    count: Array
    mass: Array


class Part:
    """The entities with ids in [start, stop), sorted by what they are matched on, and by id among equals."""

    def __init__(
        self, reference: Reference, names: Sequence[str], ranked: Tabled | None, start: int, stop: int
    ) -> None:
        ids = np.arange(start, stop)
        columns = [reference.column(name, ids) for name in names]
        self.stop = stop
        self._pools = [_pool(column) for column in columns]
        keys = self._keys(columns)
        order = np.argsort(keys, kind="stable")
        order = order[keys[order] >= 0]
        self.ids = ids[order]
        self._sorted = keys[order]
        self._kinds, self._firsts = np.unique(self._sorted, return_index=True)
        self._ends = np.append(self._firsts[1:], len(self.ids))
        self._table = Cumulative()
        self._ranked = ranked is not None
        self._table.extend(ranked.of(self.ids) if ranked is not None else np.ones(len(self.ids)))

    def _keys(self, columns: Sequence[Column]) -> Array:
        """int64[n]: one number for each combination of values, -1 where one is null or unknown to this part."""
        keys = np.zeros(len(columns[0]), np.int64)
        bad = np.zeros(len(keys), bool)
        for column, pool in zip(columns, self._pools, strict=True):
            codes = _codes(column, pool)
            keys = keys * max(len(pool), 1) + codes
            bad |= codes < 0
        keys[bad] = -1
        return keys

    def group(self, columns: Sequence[Column], limit: Array) -> Group:
        """What each row, with its values in `columns`, can choose from among ids below its `limit` int64[n]."""
        keys = self._keys(columns)
        if not len(self._kinds):
            nothing = np.zeros(len(keys), np.int64)
            return Group(nothing, nothing, np.zeros(len(keys)))
        kind = np.minimum(np.searchsorted(self._kinds, keys), len(self._kinds) - 1)
        first = self._firsts[kind]
        count = np.where(self._kinds[kind] == keys, self._ends[kind] - first, 0)
        last = self.ids[np.maximum(first + count - 1, 0)]
        cut = np.flatnonzero((count > 0) & (last >= limit))
        count[cut] = self._earlier(keys[cut], limit[cut]) - first[cut]
        sums = self._table.sums
        return Group(first, count, sums[first + count] - sums[first])

    def _earlier(self, keys: Array, limit: Array) -> Array:
        """Places before which the ids of a key are below a limit: a search in (key, id) as one number."""
        span = self.stop + 1
        places = np.searchsorted(self._sorted * span + self.ids, keys * span + np.minimum(limit, self.stop))
        return np.asarray(places)

    def pick(self, group: Group, x: Array) -> Array:
        """The ids whose weights cover x, float64[n] in [0, mass)."""
        if not len(self.ids):
            return np.zeros(len(x), np.int64)
        if self._ranked:
            place = self._table.search(self._table.sums[group.first] + x)
        else:
            place = group.first + x.astype(np.int64)
        place = np.clip(place, group.first, np.maximum(group.first + group.count - 1, group.first))
        return np.asarray(self.ids[np.minimum(place, len(self.ids) - 1)])


class Matcher:
    """The whole population in two parts: a large one that is rarely sorted anew, and the ids that have come since."""

    def __init__(self, reference: Reference, names: Sequence[str], ranked: Tabled | None) -> None:
        self._reference = reference
        self._names = names
        self._ranked = ranked
        self._parts: list[Part] = []

    def draw(self, rng: np.random.Generator, columns: Sequence[Column], limit: Array) -> tuple[Array, Array]:
        """int64[n] ids below `limit`, and bool[n], true where nothing matches the row's values in `columns`."""
        self._cover(int(limit.max(initial=0)))
        groups = [part.group(columns, limit) for part in self._parts]
        x = rng.random(len(limit)) * sum((group.mass for group in groups), np.zeros(len(limit)))
        ids, count = np.zeros(len(limit), np.int64), np.zeros(len(limit), np.int64)
        for part, group in zip(self._parts, groups, strict=True):
            chosen = (group.count > 0) & ((x >= 0) | (count == 0))
            ids = np.where(chosen, part.pick(group, np.maximum(x, 0.0)), ids)
            count += group.count
            x -= group.mass
        return ids, count == 0

    def _cover(self, most: int) -> None:
        """Take in all ids below `most`; sorting a part anew whenever it has grown by an eighth is linear in the end."""
        old = self._parts[0].stop if self._parts else 0
        if most <= (self._parts[-1].stop if self._parts else 0):
            return
        if most > 1.125 * old:
            self._parts = [self._part(0, most)]
        else:
            self._parts = [self._parts[0], self._part(old, most)]

    def _part(self, start: int, stop: int) -> Part:
        return Part(self._reference, self._names, self._ranked, start, stop)


def _pool(column: Column) -> pa.Array:
    """The distinct values of a column."""
    array = column.categories if column.categories is not None else Column(column.values, column.type).to_arrow()
    return pc.unique(array).drop_null()


def _codes(column: Column, pool: pa.Array) -> Array:
    """int64[n]: places of a column's values in a pool, -1 for nulls and for what is not there."""
    array = column.categories if column.categories is not None else Column(column.values, column.type).to_arrow()
    if array.type != pool.type:
        array = array.cast(pool.type)
    codes = np.asarray(pc.index_in(array, pool).fill_null(-1)).astype(np.int64)
    if column.categories is not None:
        codes = np.take(codes, column.values) if len(codes) else np.full(len(column), -1)
    return codes if column.mask is None else np.where(column.mask, -1, codes)
