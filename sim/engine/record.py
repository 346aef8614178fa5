"""Records: all that an entity has, as of any time of the present window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.nested import plain_array
from sim.engine.block import Block
from sim.engine.varying import Varying

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Columns = dict[str, Column]


class Record:
    """The columns `fields` of the entities of a block: births, parents, segments, states, attributes.

    `varying` are the names of those that may change.
    """

    def __init__(self, block: Block, fields: Sequence[pa.Field]) -> None:
        self._block = block
        self._names = [field.name for field in fields]
        population = block.population
        self._segmentations = {own.name: place for place, own in enumerate(population.segmentations)}
        states = ["state"] if population.machine is not None else []
        self.varying = [*states, *(name for name in self._names if isinstance(block.columns.get(name), Varying))]

    def changes(self) -> list[tuple[Indices, Times]]:
        """Who may have changed when in the present window, in any order."""
        found = []
        machine = self._block.machine
        if machine is not None and machine.history is not None:
            found.append((machine.history.changes.entities, machine.history.changes.times))
        for kept in self._block.columns.values():
            posted = kept.posted() if isinstance(kept, Varying) else None
            if posted is not None:
                found.append(posted[:2])
        return found

    def at(self, entities: Indices, times: Times) -> Columns:
        """The columns of entities at times; times before the window stand for its beginning."""
        return {name: self._column(name, entities, times) for name in self._names}

    def _column(self, name: str, entities: Indices, times: Times) -> Column:
        block = self._block
        if name in block.columns:
            return block.attribute(name, entities, times)
        if name == "born_at":
            return Column(block.births[entities], TIME_TYPE)
        if name == "state" and block.machine is not None:
            return Column.coded(block.machine.state_at(entities, times), block.machine.dictionary)
        if name in self._segmentations:
            place = self._segmentations[name]
            return Column.coded(block.segments[place][entities], block.population.segmentations[place].dictionary)
        assert block.parent is not None
        return Column.of(block.parent.ids[block.parents[entities]])

    def differences(self, columns: Mapping[str, Column], count: int) -> NDArray[np.bool_]:
        """Whether the first `count` rows differ from the rows behind them, by column of `varying`: bool[n, k]."""
        if not self.varying:
            return np.zeros((count, 0), dtype=np.bool_)
        return np.stack([_differs(columns[name], count) for name in self.varying], axis=1)


def _differs(column: Column, count: int) -> NDArray[np.bool_]:
    if column.categories is None or pa.types.is_dictionary(column.type):
        values, nulls = column.values, column.is_null()
        unequal = (values[:count] != values[count:]) & ~(nulls[:count] & nulls[count:])
        return np.asarray(unequal | (nulls[:count] != nulls[count:]))
    import polars

    series = polars.Series(plain_array(column))  # texts and nested values, whose codes say nothing
    return series[:count].ne_missing(series[count:]).to_numpy()
