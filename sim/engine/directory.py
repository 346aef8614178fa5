"""Directories: a population as lookups see it, the same in every shard."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.living import Living
from sim.engine.block import Block
from sim.engine.clocks import NEVER
from sim.engine.growable import GrowableColumn
from sim.engine.roster import Roster
from sim.engine.varying import Varying
from sim.engine.window import Window


class Directory:
    """The entities of one population by id, with the attributes that something reads. A `Reference`."""

    def __init__(self, roster: Roster, blocks: list[Block]) -> None:
        self.cache: dict[str, Any] = {}
        self.nominal = roster.population.nominal
        self._roster = roster
        changing = sorted(roster.population.changing & roster.population.kept)
        self._varying = {name: Varying() for name in changing}
        self._columns: dict[str, GrowableColumn | Varying] = dict(self._varying)
        self._blocks = blocks
        self._heard: defaultdict[tuple[str, int], int] = defaultdict(int)
        """How many changes of an attribute in a block are known already."""
        self.mortal = roster.population.mortal
        self._start = 0
        self._living: Living | None = None
        self._ends: NDArray[np.int64] | None = None

    def ended(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """When entities ended, NEVER for those who have not."""
        if self._ends is None:
            self._ends = np.full(len(self._roster), NEVER)
            for block in self._blocks:
                self._ends[block.ids] = block.ended(np.arange(len(block)))
        return self._ends[ids]

    def living(self) -> Living:
        """Those who had not ended when the window began."""
        if self._living is None:
            ids = np.arange(len(self._roster))
            self._living = Living(self, np.flatnonzero(self.ended(ids) >= self._start))
        return self._living

    def open(self, window: Window) -> None:
        """Begin a window, in which all are born whom the roster says."""
        self._start, self._living, self._ends = window.start, None, None

    def born(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many entities are born at or before each time."""
        return self._roster.born(times)

    def column(self, name: str, ids: NDArray[np.int64], times: NDArray[np.int64] | None = None) -> Column:
        """What is known of the entities `ids` at `times` of the present window, or when it began.

        Raises KeyError for a name that nothing declared.
        """
        if name == "id":
            return Column.of(ids)
        if name == "born_at":
            return Column(self._roster.births[ids], TIME_TYPE)
        kept = self._columns[name]
        if isinstance(kept, Varying):
            return kept.before(ids) if times is None else kept.at(ids, times)
        return kept.column.take(ids)

    def follow(self) -> None:
        """Take note of what has changed in the blocks since the last time."""
        self._ends = None
        for name, varying in self._varying.items():
            for block in self._blocks:
                kept = block.columns[name]
                assert isinstance(kept, Varying)
                news = kept.posted(self._heard[name, block.index])
                if news is not None:
                    entities, times, values = news
                    varying.post(block.ids[entities], times, values)
                    self._heard[name, block.index] += len(times)

    def close(self) -> None:
        """End the window: changes become values."""
        for varying in self._varying.values():
            varying.close()
        self._heard.clear()

    def enter(self, blocks: list[Block], columns: list[dict[str, Column]]) -> None:
        """Note the fresh entities of all blocks, `columns` having theirs by attribute or segmentation."""
        ids = np.concatenate([block.ids[block.fresh] for block in blocks])
        order = np.argsort(ids)
        for name in columns[0]:
            column = Column.concat([known[name] for known in columns]).take(order)
            self._columns.setdefault(name, GrowableColumn()).extend(column)
