"""Moments: when entities come into being, change or cease to be, in the present window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.block import Block
from sim.engine.growable import Growable
from sim.engine.history import ordered
from sim.engine.record import Columns, Record
from sim.engine.window import Window

Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]
Times = NDArray[np.int64]

CREATE, UPDATE, DELETE = range(3)
UNSEEN = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Moments:
    """Births, changes and ends by (entity, time), one element each.

    `earlier` is the entity's moment before in this window, or UNSEEN; `changed`, bool[n, k], says which of the varying
    columns of the record are different; `columns` holds the records after the moments, and behind them those before.
    """

    entities: Indices
    times: Times
    earlier: Times
    operation: Indices
    changed: Bools
    columns: Columns

    def __len__(self) -> int:
        return len(self.times)

    def after(self, which: Indices) -> Columns:
        """The records after the moments at `which`."""
        return {name: column.take(which) for name, column in self.columns.items()}

    def before(self, which: Indices) -> Columns:
        """The records before the moments at `which`."""
        return self.after(which + len(self))


class Watch:
    """Finds the moments of one block, window by window. Who ended before the run, or before birth, has none."""

    def __init__(self, block: Block, record: Record) -> None:
        self._block = block
        self._record = record
        self._gone = Growable(np.bool_)

    @property
    def present(self) -> Indices:
        """Those who exist at the end of the windows that have been watched."""
        return np.flatnonzero(~self._gone.values)

    def moments(self, window: Window) -> Moments:
        """The moments of `window`, in which everything has happened."""
        block = self._block
        fresh = np.arange(len(self._gone), len(block))
        ends = block.ended(np.arange(len(block)))
        begins = np.maximum(block.births[fresh], window.start)
        self._gone.extend(ends[fresh] <= begins)
        ending = np.flatnonzero((ends >= window.start) & (ends < window.until))
        pieces = [(fresh, begins), (ending, ends[ending]), *self._record.changes()]
        entities, times = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        kept = np.flatnonzero(~self._gone.values[entities] & (times <= ends[entities]))
        entities, times = _distinct(entities[kept], times[kept])
        operation = np.where(times == ends[entities], DELETE, UPDATE)
        operation[(entities >= len(block) - len(fresh)) & (earlier_of(entities, times) == UNSEEN)] = CREATE
        found = self._real(entities, times, operation)
        self._gone.values[found.entities[found.operation == DELETE]] = True
        return found

    def _real(self, entities: Indices, times: Times, operation: Indices) -> Moments:
        """The moments at which something is different, and the records on both sides of them."""
        twice = np.concatenate([entities, entities])
        columns = self._record.at(twice, np.concatenate([times, earlier_of(entities, times)]))
        changed = self._record.differences(columns, len(times))
        real = np.flatnonzero((operation != UPDATE) | changed.any(axis=1))
        both = np.concatenate([real, real + len(times)])
        columns = {name: column.take(both) for name, column in columns.items()}
        entities, times = entities[real], times[real]
        return Moments(entities, times, earlier_of(entities, times), operation[real], changed[real], columns)


def _distinct(entities: Indices, times: Times) -> tuple[Indices, Times]:
    """Each (entity, time) once, in that order."""
    order = ordered(entities, times)
    entities, times = entities[order], times[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (entities[1:] != entities[:-1]) | (times[1:] != times[:-1])
    return entities[new], times[new]


def earlier_of(entities: Indices, times: Times) -> Times:
    """The time before of the same entity, where entities lie together; else UNSEEN."""
    earlier = np.full(len(times), UNSEEN)
    same = np.flatnonzero(entities[1:] == entities[:-1]) + 1
    earlier[same] = times[same - 1]
    return earlier
