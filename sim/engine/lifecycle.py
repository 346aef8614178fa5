"""Lifecycles: the changes of state of a population's entities in a window."""

from __future__ import annotations

import numpy as np

from sim.attributes.column import Column
from sim.engine import rounds
from sim.engine.block import Block
from sim.engine.calendar import Calendar, Pending
from sim.engine.facts import fact_ids
from sim.engine.fanout import Emit, Hear
from sim.engine.history import Transitions
from sim.engine.machine import MachineState
from sim.engine.rows import EventRows, Surroundings
from sim.engine.trigger import Starter
from sim.engine.window import Window
from sim.model.model import Population, Trigger


class Lifecycle:
    """The states of one population, in the blocks of this shard."""

    def __init__(self, around: Surroundings, population: Population, blocks: list[Block], hear: Hear) -> None:
        self._around = around
        self._population = population
        self._parts = [_Part(around, population, block) for block in blocks]
        self._hear = hear

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit all changes of state before the end of `window`."""
        machines = [part.machine for part in self._parts]
        rngs = [part.block.rng("lifecycle", window) for part in self._parts]
        pushes = [part.pushes(window, self._hear) for part in self._parts]
        for part, changes in zip(self._parts, rounds.advance(machines, window.until, rngs, pushes), strict=True):
            part.emit(changes, window, emit)

    def listen(self, window: Window) -> None:
        """Take note of what has happened in `window` after the states were settled: it takes effect in the next."""
        for part in self._parts:
            part.listen(window, self._hear)


class _Part:
    """The states in one block, and the transitions that facts have triggered."""

    def __init__(self, around: Surroundings, population: Population, block: Block) -> None:
        self._around = around
        self._population = population
        self.block = block
        assert population.machine is not None
        self._triggers: list[tuple[int, int, Trigger, Starter]] = [
            (state, number, exit_.trigger, Starter(around, exit_.trigger, f"{population.name}/{state}/{number}"))
            for state, exits in enumerate(population.machine.exits)
            for number, exit_ in enumerate(exits)
            if exit_.trigger is not None
        ]
        self._sources = sorted({trigger.source for _, _, trigger, _ in self._triggers})
        self._late = Calendar(around.model.start, around.model.tick, around.model.end)

    @property
    def machine(self) -> MachineState:
        """Where everybody stands."""
        assert self.block.machine is not None
        return self.block.machine

    def pushes(self, window: Window, hear: Hear) -> list[Pending]:
        """The transitions that are triggered in `window`, as far as that is known."""
        pushes = self._pushes(window, hear, late=False)
        due = self._late.due(window.number)
        return pushes if due is None else [*pushes, due]

    def emit(self, changes: Transitions, window: Window, emit: Emit) -> None:
        """Emit the changes of `window`, by time."""
        block, population = self.block, self._population
        name = f"{population.name}_lifecycle"
        ids = fact_ids(name, len(changes), block.index, window)
        rows = EventRows(self._around, block, window, name, changes.times, changes.entities, ids, population.values)
        columns = {
            f"{name}_id": Column.of(ids),
            f"{population.name}_id": Column.of(block.ids[changes.entities]),
            "from_state": Column.coded(changes.source, self.machine.dictionary),
            "to_state": Column.coded(changes.target, self.machine.dictionary),
            "reason": Column.coded(changes.reason, self.machine.reasons),
            "seconds_in_state": Column.of(changes.dwell / 1e6),
        }
        emit(name, rows, columns)

    def listen(self, window: Window, hear: Hear) -> None:
        for push in self._pushes(window, hear, late=True):
            # The next window begins where this one ends; what is due later keeps its own time.
            self._late.add(Pending(np.maximum(push.times, window.until), push.entities, push.carried))

    def _pushes(self, window: Window, hear: Hear, late: bool) -> list[Pending]:
        pushes = []
        for state, number, trigger, starter in self._triggers:
            happened = hear(trigger.source, self.block.index)
            if trigger.late != late or happened is None:
                continue
            due = starter.draw(window, *happened) if late else starter.advance(window, *happened)
            carried = {
                "state": Column.of(np.full(len(due.times), state, dtype=np.int64)),
                "exit": Column.of(np.full(len(due.times), number, dtype=np.int64)),
                "due": Column.of(due.times),
                "source": Column.of(np.full(len(due.times), self._sources.index(trigger.source), dtype=np.int64)),
                "fact": due.carried[f"{trigger.source}_id"],
            }
            pushes.append(Pending(due.times, due.entities, carried))
        return pushes
