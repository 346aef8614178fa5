"""What happens in a tick, part by part: births and states of a population, then what its entities do.

Each component is advanced once a window, in the order of the model's dependencies, and hands its facts to `emit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sim.attributes.column import TIME_TYPE, Column
from sim.engine.activity import Points, Recurrence
from sim.engine.block import Block
from sim.engine.directory import Directory
from sim.engine.facts import Facts, fact_ids
from sim.engine.fanout import Fanout
from sim.engine.intensity import Intensity
from sim.engine.machine import MachineState, Transitions
from sim.engine.roster import Roster
from sim.engine.rows import EventRows, Surroundings, segmentation_columns
from sim.engine.totals import Ledgers
from sim.engine.window import Window
from sim.model.model import Activity, Population

Emit = Callable[[str, Facts], None]


class Arriving:
    """Births and transitions of one population. `own` are the blocks whose facts this shard emits."""

    def __init__(
        self,
        around: Surroundings,
        population: Population,
        roster: Roster,
        blocks: Mapping[int, Block],
        own: frozenset[int],
        directory: Directory | None,
    ) -> None:
        self._around = around
        self._population = population
        self._roster = roster
        self._blocks = blocks
        self._own = own
        self._directory = directory
        self._previous: Window | None = None

    def advance(self, window: Window, emit: Emit) -> None:
        """Bring the population, its states and its weights to the end of `window`."""
        self._roster.advance(window)
        known = [self._advance(block, window, emit) for block in self._blocks.values()]
        if self._directory is not None:
            self._directory.enter(list(self._blocks.values()), known)
        self._previous = window

    def _advance(self, block: Block, window: Window, emit: Emit) -> dict[str, Column]:
        block.admit(self._roster, window)
        transitions = None
        if block.machine is not None:
            transitions = block.machine.advance(window.until, block.rng("lifecycle", window))
        mine = block.index in self._own
        columns = self._births(block, window, emit if mine else None)
        if mine:
            if transitions is not None and self._population.transitions is not None:
                emit(self._population.transitions.name, self._changes(block, window, transitions))
            for weights in block.weights:
                weights.regroup(window, self._previous)
        return columns

    def _births(self, block: Block, window: Window, emit: Emit | None) -> dict[str, Column]:
        """Draw the attributes of the newborn, keep those that something reads, emit the rest too."""
        population = self._population
        births, ids = block.births[block.fresh], block.ids[block.fresh]
        entities = np.arange(block.fresh.start, block.fresh.stop)
        times = np.maximum(births, window.start)
        rows = EventRows(
            self._around,
            block,
            window,
            population.name,
            times,
            entities,
            ids,
            population.values,
            subject=population.name,
        )
        columns = population.table.evaluate(rows)
        block.keep(columns)
        columns |= segmentation_columns(block, population.segmentations)
        if emit is not None and population.stream is not None:
            emit(population.stream.name, Facts(times, columns | self._identity(rows, births)))
        return {name: columns[name] for name in (*population.kept, *(s.name for s in population.segmentations))}

    def _identity(self, rows: EventRows, births: np.ndarray) -> dict[str, Column]:
        identity = {f"{self._population.name}_id": Column.of(rows.ids), "born_at": Column(births, TIME_TYPE)}
        if self._population.machine is not None:
            identity["state"] = rows.column("state")
        if self._roster.parent is not None:
            parent = f"{self._roster.parent.population.name}_id"
            identity[parent] = rows.column(parent)
        return identity

    def _changes(self, block: Block, window: Window, changes: Transitions) -> Facts:
        machine: MachineState | None = block.machine
        assert machine is not None
        assert self._population.transitions is not None
        ids = fact_ids(self._population.transitions.name, len(changes), block.index, window)
        columns = {
            self._population.transitions.id: Column.of(ids),
            f"{self._population.name}_id": Column.of(block.ids[changes.entities]),
            "from_state": Column.coded(changes.source, machine.dictionary),
            "to_state": Column.coded(changes.target, machine.dictionary),
            "reason": Column.coded(changes.reason, machine.reasons),
            "seconds_in_state": Column.of(changes.dwell / 1e6),
        }
        return Facts(changes.times, columns)


@dataclass(slots=True)
class _Act:
    """One activity in one block."""

    activity: Activity
    recurrence: Recurrence | None
    children: list[Fanout]


class Acting:
    """All activities of one population, in the blocks of this shard."""

    def __init__(
        self,
        around: Surroundings,
        population: Population,
        activities: list[Activity],
        blocks: list[Block],
        thinning: Mapping[str, float],
    ) -> None:
        self._around = around
        self._blocks = blocks
        self._points = {a.name: Points(a, thinning.get(a.name, 1.0)) for a in activities if a.schedule is None}
        self._acts = [[self._act(block, activity) for activity in activities] for block in blocks]
        self._ledgers = [Ledgers(activities) for _ in blocks]

    def _act(self, block: Block, activity: Activity) -> _Act:
        recurrence = Recurrence(activity, self._around.model) if activity.schedule is not None else None
        children = [Fanout(self._around, block, child, activity.name) for child in activity.children]
        return _Act(activity, recurrence, children)

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit everything that happens in `window`."""
        intensities: dict[int, Intensity] = {}
        for points in self._points.values():
            curve = points.activity.curve
            if id(curve) not in intensities:
                intensities[id(curve)] = Intensity(curve, window.start, window.until)
        for block, acts, ledgers in zip(self._blocks, self._acts, self._ledgers, strict=True):
            self._advance(block, acts, ledgers, window, intensities, emit)

    def _advance(
        self,
        block: Block,
        acts: list[_Act],
        ledgers: Ledgers,
        window: Window,
        intensities: Mapping[int, Intensity],
        emit: Emit,
    ) -> None:
        rows = [self._happen(block, act, window, intensities) for act in acts]
        drawn = [act.activity.table.evaluate(own) for act, own in zip(acts, rows, strict=True)]
        totals = ledgers.settle(block, rows, drawn)
        for act, own, columns, given in zip(acts, rows, drawn, totals, strict=True):
            if given:
                columns |= given
                columns |= act.activity.table.evaluate(own, columns, stage=1)
            name = act.activity.name
            columns |= {
                f"{name}_id": Column.of(own.ids),
                f"{block.population.name}_id": Column.of(block.ids[own.entities]),
            }
            emit(name, Facts(own.times, columns))
            for fanout in act.children:
                fanout.advance(window, own, columns, emit)

    def _happen(self, block: Block, act: _Act, window: Window, intensities: Mapping[int, Intensity]) -> EventRows:
        activity = act.activity
        rng = self._around.randomness.generator(f"{activity.name}/points", block.index, window.number)
        if act.recurrence is not None:
            times, entities = act.recurrence.sample(block, window, rng)
        else:
            points, intensity = self._points[activity.name], intensities[id(activity.curve)]
            times, entities = points.sample(block, window, intensity, rng)
        ids = fact_ids(activity.name, len(times), block.index, window)
        return EventRows(self._around, block, window, activity.name, times, entities, ids, activity.values)
