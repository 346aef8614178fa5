"""Directories: a population as lookups see it, the same in every shard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.engine.block import Block
from sim.engine.growable import GrowableColumn
from sim.engine.roster import Roster


class Directory:
    """The entities of one population by id, with the attributes that something reads. A `Reference`."""

    def __init__(self, roster: Roster) -> None:
        self.cache: dict[str, Any] = {}
        self.nominal = roster.population.nominal
        self._roster = roster
        self._columns: dict[str, GrowableColumn] = {}

    def born(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many entities are born at or before each time."""
        return self._roster.born(times)

    def column(self, name: str, ids: NDArray[np.int64]) -> Column:
        """What is known of the entities `ids`; raises KeyError for a name that nothing declared."""
        if name == "id":
            return Column.of(ids)
        if name == "born_at":
            return Column(self._roster.births[ids], TIME_TYPE)
        return self._columns[name].column.take(ids)

    def enter(self, blocks: list[Block], columns: list[dict[str, Column]]) -> None:
        """Note the fresh entities of all blocks, `columns` having theirs by attribute or segmentation."""
        ids = np.concatenate([block.ids[block.fresh] for block in blocks])
        order = np.argsort(ids)
        for name in columns[0]:
            column = Column.concat([known[name] for known in columns]).take(order)
            self._columns.setdefault(name, GrowableColumn()).extend(column)
