"""Counts what single roots have in a pilot: facts by stream and month; who is alive, in which state, when it ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.batch import Batch, event_times
from sim.engine.block import Block
from sim.engine.forecast.moments import power_sums
from sim.engine.forecast.pilot import root_initial
from sim.engine.world import World
from sim.model.model import Population

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

EVERY = ""
"""In place of a stream's name: the facts of all streams."""
ALIVE = " alive"
"""In place of a state: who is in one that is no end. No state can be called so."""
NOBODY = -1
"""In place of a root population: facts that belong to nobody, each a root of its own."""

Counted = tuple[str, str]
"""A stream and nothing, or a population and a state."""


class Census:
    """The census of one pilot world. `months` are the instants at which months end, int64[m], the last the run's end.

    After `close`, `sums` has for each thing that was counted, each root population and each of its two groups (those
    who exist at the start, those who are born) the sums of powers, float64[m + 1, 4]: the last row is of the whole run.
    """

    def __init__(self, world: World, months: Indices) -> None:
        self._world = world
        self._months = months
        self._facts: defaultdict[tuple[str, int], list[tuple[Indices, Indices]]] = defaultdict(list)
        self._nobody = 0
        self.sums: dict[tuple[Counted, int, int], Floats] = {}
        self.sizes: dict[tuple[int, int], int] = {}

    def count(self, batch: Batch) -> None:
        """Take in the facts of a batch."""
        if not len(batch):
            return
        months = np.searchsorted(self._months, event_times(batch.data), side="right")
        for root, rows, roots in self._roots(batch):
            self._facts[batch.stream.name, root].append((months[rows].astype(np.int16), roots.astype(np.int32)))

    def survey(self, start: int, until: int) -> None:
        """Note who is alive, and in which states, at the ends of months in (start, until], the window just filled."""
        ends = np.flatnonzero((self._months > start) & (self._months <= until))
        for population in self._world.model.populations:
            block = self._world.blocks[population.name][0]
            for month in ends:
                self._look(population, block, int(month))

    def close(self, kept: dict[str, float]) -> None:
        """The world is over: add up. `kept` is the share of each stream's facts that the pilot has."""
        for population in self._world.model.populations:
            initial = min(root_initial(population), len(self._world.blocks[population.name][0]))
            self.sizes[population.index, 0] = initial
            self.sizes[population.index, 1] = len(self._world.blocks[population.name][0]) - initial
        self.sizes[NOBODY, 0], self.sizes[NOBODY, 1] = 0, self._nobody
        every: defaultdict[int, list[tuple[Indices, Indices, Floats]]] = defaultdict(list)
        for (stream, root), pieces in self._facts.items():
            months, roots = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
            weights = np.full(len(months), 1 / kept.get(stream, 1.0))
            every[root].append((months, roots, weights))
            self._add((stream, ""), root, months, roots, None)
        for root, parts in every.items():
            self._add((EVERY, ""), root, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        self._facts.clear()

    def _add(self, what: Counted, root: int, months: Indices, roots: Indices, weights: Floats | None) -> None:
        size = int(roots.max()) + 1
        keys, place = np.unique(months.astype(np.int64) * size + roots, return_inverse=True)
        counts = np.bincount(place, weights).astype(float)
        self._tabulate(what, root, keys // size, keys % size, counts)
        self._tabulate(what, root, None, np.arange(size), np.bincount(roots, weights, size).astype(float))

    def _tabulate(self, what: Counted, root: int, months: Indices | None, roots: Indices, counts: Floats) -> None:
        rows, initial = len(self._months) + 1, self.sizes[root, 0]
        row = np.full(len(roots), rows - 1) if months is None else months
        for group in range(2):
            here = np.flatnonzero((roots >= initial) == bool(group))
            table = self.sums.setdefault((what, root, group), np.zeros((rows, 4)))
            for power in range(1, 5):
                table[:, power - 1] += np.bincount(row[here], counts[here] ** power, minlength=rows)

    def _look(self, population: Population, block: Block, month: int) -> None:
        """Count the entities of a block at the end of a month, by state and by root."""
        at = int(self._months[month]) - 1
        born = np.flatnonzero(block.births <= at)
        line = block.lineage()
        roots = block.ancestors(born, len(line) - 1)
        alive = block.ended(born) > at
        self._note((population.name, ALIVE), line[-1], roots[alive], month)
        if block.machine is not None and population.machine is not None:
            states = block.machine.state_at(born, np.full(len(born), at))
            for code, name in enumerate(population.machine.states):
                self._note((population.name, name), line[-1], roots[states == code], month)

    def _note(self, what: Counted, root: Block, roots: Indices, month: int) -> None:
        initial = root_initial(root.population)
        counts = np.bincount(roots, minlength=len(root)).astype(np.float64)
        for group, own in enumerate((counts[:initial], counts[initial:])):
            key = (what, root.population.index, group)
            self.sums.setdefault(key, np.zeros((len(self._months) + 1, 4)))[month] += power_sums(own)

    def _roots(self, batch: Batch) -> Iterator[tuple[int, Indices, Indices]]:
        """Root population, rows and roots of facts; in a pilot of one block, ids are places in it."""
        stream, data = batch.stream, batch.data
        kinds = {f"{own.name}_id": own for own in self._world.model.populations}
        if stream.key in kinds:
            ids = np.asarray(data.column(stream.key), dtype=np.int64)
            yield self._ancestry(kinds[stream.key], np.arange(len(batch)), ids)
        elif "entity" in stream.schema.names:
            yield from self._labelled(data.column("entity"), data.column("entity_id"))
        else:
            yield self._loose(np.arange(len(batch)))

    def _labelled(self, kinds: object, ids: object) -> Iterator[tuple[int, Indices, Indices]]:
        """The roots of labels, which name the kind and the id of an entity, if there is one."""
        import pyarrow as pa

        assert isinstance(kinds, pa.DictionaryArray)
        assert isinstance(ids, pa.Array)
        codes = np.asarray(kinds.indices.fill_null(-1), dtype=np.int64)
        numbers = np.asarray(ids.fill_null(-1), dtype=np.int64)
        names = kinds.dictionary.to_pylist()
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            if code < 0:
                yield self._loose(rows)
            else:
                yield self._ancestry(self._world.model.population(names[code]), rows, numbers[rows])

    def _ancestry(self, population: Population, rows: Indices, ids: Indices) -> tuple[int, Indices, Indices]:
        block = self._world.blocks[population.name][0]
        line = block.lineage()
        return line[-1].population.index, rows, block.ancestors(ids, len(line) - 1)

    def _loose(self, rows: Indices) -> tuple[int, Indices, Indices]:
        first = self._nobody
        self._nobody += len(rows)
        return NOBODY, rows, np.arange(first, self._nobody)
