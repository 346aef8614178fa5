"""Directories: a population as lookups see it, the same in every shard."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.engine.block import Block
from sim.engine.growable import GrowableColumn
from sim.engine.roster import Roster
from sim.engine.varying import Varying


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
        """Take note of the changes that have been made in the blocks since the last time."""
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
