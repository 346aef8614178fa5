"""Births: the entities of a population that come into being in a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.engine.block import Block
from sim.engine.directory import Directory
from sim.engine.fanout import Emit, Hear
from sim.engine.machine import MachineState
from sim.engine.roster import Newborn, Roster
from sim.engine.rounds import enter, skip
from sim.engine.rows import EventRows, Surroundings, segmentation_columns
from sim.engine.trigger import Starter
from sim.engine.window import Window
from sim.model.model import Population


class Births:
    """The newborn of one population, in all the blocks of it that are known here."""

    def __init__(
        self,
        around: Surroundings,
        population: Population,
        roster: Roster,
        blocks: Mapping[int, Block],
        directory: Directory | None,
        hear: Hear,
    ) -> None:
        self._around = around
        self._population = population
        self._roster = roster
        self._hear = hear
        trigger = population.trigger
        self._starters = (
            {} if trigger is None else {index: Starter(around, trigger, population.name) for index in blocks}
        )
        self._blocks = blocks
        self._directory = directory
        self._nothing: dict[int, dict[str, Column]] = {}
        """By block, the columns where nobody is born: drawing nothing, attribute by attribute, takes its time too."""

    def advance(self, window: Window, emit: Emit) -> None:
        """Bring to life all who are born before the end of `window`."""
        if self._population.trigger is None:
            self._roster.advance(window)
        if self._directory is not None:
            self._directory.open(window)
        # All of them exist before any of them looks for others.
        for block in self._blocks.values():
            block.admit(self._newborn(block, window), window)
        self._enter(window)
        known = [self._draw(block, window, emit) for block in self._blocks.values()]
        if self._directory is not None:
            self._directory.enter(list(self._blocks.values()), known)

    def _enter(self, window: Window) -> None:
        """Put the newborn into their first states; those who exist at the start have left them since, perhaps."""
        if self._population.machine is None:
            return
        fresh = [block for block in self._blocks.values() if block.fresh.start < block.fresh.stop]
        rngs = [block.rng("lifecycle/birth", window) for block in fresh]
        if fresh:
            enter(_machines(fresh), [block.births[block.fresh] for block in fresh], rngs)
            if window.number == 0:
                skip(_machines(fresh), window.start, rngs)
        for machine in _machines(self._blocks.values()):
            machine.open()

    def _draw(self, block: Block, window: Window, emit: Emit) -> dict[str, Column]:
        """Draw the attributes of the newborn, keep those that something reads, emit them all."""
        population = self._population
        births, ids = block.births[block.fresh], block.ids[block.fresh]
        entities = np.arange(block.fresh.start, block.fresh.stop)
        times = np.maximum(births, window.start)
        name = population.name
        rows = EventRows(self._around, block, window, name, times, entities, ids, population.values, subject=name)
        columns = self._nothing.get(block.index, {}) if not len(births) else {}
        if not columns:
            columns = population.table.evaluate(rows)
            block.keep(columns)
            columns |= segmentation_columns(block, population.segmentations) | self._identity(rows, births)
        if not len(births):
            self._nothing[block.index] = columns
        emit(name, rows, dict(columns))
        return {known: columns[known] for known in (*population.kept, *(s.name for s in population.segmentations))}

    def _newborn(self, block: Block, window: Window) -> Newborn:
        """Who is born in a block: as the roster says, or from the facts that the trigger names."""
        starter = self._starters.get(block.index)
        if starter is None or self._population.trigger is None:
            return self._roster.newborn(block.index)
        happened = self._hear(self._population.trigger.source, block.index)
        assert happened is not None
        due = starter.advance(window, *happened)
        first = len(block)
        ids = np.arange(first, first + len(due.times), dtype=np.int64) * self._around.model.blocks + block.index
        return Newborn(ids, due.times, due.entities)

    def _identity(self, rows: EventRows, births: NDArray[np.int64]) -> dict[str, Column]:
        identity = {f"{self._population.name}_id": Column.of(rows.ids), "born_at": Column(births, TIME_TYPE)}
        if self._population.machine is not None:
            identity["state"] = rows.column("state")
        if self._roster.parent is not None:
            parent = f"{self._roster.parent.population.name}_id"
            identity[parent] = rows.column(parent)
        return identity


def _machines(blocks: Iterable[Block]) -> list[MachineState]:
    return [block.machine for block in blocks if block.machine is not None]
