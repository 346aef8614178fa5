"""Cases: multi-stage processes, all cases of a block together, step by step in vectorised rounds.

A case needs nobody else to go on, so a round takes every case that is due in the window one step further; what falls
past the window waits in the calendar. Each step is a fact.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column, strings
from sim.engine.acting import Happening
from sim.engine.block import Block
from sim.engine.branching import END, Brancher, Places
from sim.engine.calendar import Calendar, Pending
from sim.engine.facts import check_room, fact_ids, stable_order
from sim.engine.fanout import Emit, Hear
from sim.engine.rows import EventRows, Surroundings
from sim.engine.trigger import Starter
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Flow

_MOST_ROUNDS = 100_000
_MOVING = frozenset({"step", "index"})


class Cases:
    """The cases of one process, in the blocks of this shard."""

    def __init__(self, around: Surroundings, flow: Flow, blocks: list[Block], hear: Hear, thinning: float) -> None:
        happening = None if flow.start is None else Happening(around, flow.start, blocks, thinning)
        self._parts = [_Part(around, flow, block, happening, hear) for block in blocks]

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit every step that is taken in `window`."""
        for part in self._parts:
            part.advance(window, emit)


class _Part:
    """The cases in one block.

    A case that waits is a row of a `Pending`: its next step's time, its entity, and, carried along, `case`, `began`,
    `step`, `index`, the number of visits of each step that something depends on, and its attributes.
    """

    def __init__(self, around: Surroundings, flow: Flow, block: Block, happening: Happening | None, hear: Hear) -> None:
        self._around = around
        self._flow = flow
        self._block = block
        self._happening = happening
        self._hear = hear
        self._starter = Starter(around, flow.trigger, flow.name) if flow.trigger is not None else None
        self._brancher = Brancher(flow, block)
        self._steps = strings(flow.steps)
        self._visits = [f"visits.{step}" for step in flow.counted]
        self._calendar = Calendar(around.model.start, around.model.tick, around.model.end)
        self._ending = Calendar(around.model.start, around.model.tick, around.model.end)

    def advance(self, window: Window, emit: Emit) -> None:
        cases = self._begin(window)
        if (waiting := self._calendar.due(window.number)) is not None:
            cases = Pending.concat([cases, waiting])
        taken, later, ended = self._go(cases, window)
        self._calendar.add(self._at(cases, later))
        self._emit_steps(cases, taken.take(stable_order(taken.times, window)), window, emit)
        if self._flow.cases is not None:
            self._ending.add(self._at(cases, ended))
            over = self._ending.due(window.number)
            self._emit_cases(cases.take(np.empty(0, dtype=np.int64)) if over is None else over, window, emit)

    def _begin(self, window: Window) -> Pending:
        """The cases that start in `window`, at their first step."""
        flow, block = self._flow, self._block
        times, entities, given = self._starts(window)
        ids = fact_ids(f"{flow.name}_case", len(times), block.index, window)
        rows = EventRows(self._around, block, window, flow.name, times, entities, ids, flow.values, given)
        carried = flow.table.evaluate(rows)
        nothing = Column.of(np.zeros(len(times), dtype=np.int64))
        carried |= {"case": Column.of(ids), "began": Column.of(times), "index": nothing}
        carried |= {"step": Column.of(self._first(len(times), window)), **dict.fromkeys(self._visits, nothing)}
        return Pending(times, entities, carried)

    def _first(self, count: int, window: Window) -> NDArray[np.int64]:
        """The first steps of new cases."""
        shares = np.cumsum(self._flow.first)
        if np.count_nonzero(self._flow.first) == 1:
            return np.full(count, np.argmax(self._flow.first))
        return np.searchsorted(shares / shares[-1], self._rng("first", window).random(count), side="right")

    def _starts(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, Column]]:
        if self._starter is not None and self._flow.trigger is not None:
            happened = self._hear(self._flow.trigger.source, self._block.index)
            assert happened is not None
            due = self._starter.advance(window, *happened)
            return due.times, due.entities, due.carried
        assert self._happening is not None
        rows = self._happening.rows(self._block, window)
        if not len(rows):
            return rows.times, rows.entities, {}
        each = np.repeat(np.arange(len(rows)), self._flow.count.draw(self._rng("count", window), len(rows)))
        return rows.times[each], rows.entities[each], {}

    def _rng(self, name: str, window: Window) -> np.random.Generator:
        return self._around.randomness.generator(f"{self._flow.name}/{name}", self._block.index, window.number)

    def _go(self, cases: Pending, window: Window) -> tuple[Places, Places, Places]:
        """All steps that `cases` take before the end of the window, the steps that come later, and the ends."""
        at = self._places(cases)
        rng = self._rng("steps", window) if len(at) else None
        taken, later, ended = [at.take(np.empty(0, dtype=np.int64))], [], []
        count = 0
        while len(at) and rng is not None:
            taken.append(at)
            count += len(at)
            check_room(self._flow.name, count, self._block.index, window)
            following = self._brancher.step(at, rng)
            over = following.steps == END
            if self._flow.cases is not None:
                gone = np.flatnonzero(over)
                ended.append(replace(at.take(gone), times=following.times[gone]))
            beyond = following.times >= window.until
            later.append(following.take(np.flatnonzero(beyond & ~over)))
            at = following.take(np.flatnonzero(~beyond & ~over))
            if len(taken) > _MOST_ROUNDS and len(at):
                self._give_up(at)
        nobody = taken[:1]
        return Places.concat(taken), Places.concat(later or nobody), Places.concat(ended or nobody)

    def _places(self, cases: Pending) -> Places:
        """Where `cases` are."""
        carried = cases.carried
        visits = [carried[name].values for name in self._visits]
        counted = np.stack(visits, axis=1) if visits else np.zeros((len(cases.times), 0), dtype=np.int64)
        rows = np.arange(len(cases.times))
        return Places(rows, cases.entities, cases.times, carried["step"].values, carried["index"].values, counted)

    def _at(self, cases: Pending, places: Places) -> Pending:
        """`cases` as they are at `places`, with their attributes."""
        carried = {name: column.take(places.case) for name, column in cases.carried.items() if name not in _MOVING}
        carried |= {"step": Column.of(places.steps), "index": Column.of(places.index)}
        carried |= {name: Column.of(places.visits[:, place]) for place, name in enumerate(self._visits)}
        return Pending(places.times, places.entities, carried)

    def _give_up(self, at: Places) -> None:
        who, when = self._block.name(int(at.entities[0])), format_instant(int(at.times[0]))
        raise SimulationError(
            f"{self._flow.name}, {who}, {when}: more than {_MOST_ROUNDS:,} steps within a tick, now at"
            f" {self._flow.steps[int(at.steps[0])]!r}; give a step of the loop a limit, or its branches time"
        )

    def _emit_steps(self, cases: Pending, steps: Places, window: Window, emit: Emit) -> None:
        flow, block = self._flow, self._block
        ids = fact_ids(flow.name, len(steps), block.index, window)
        columns = {name: cases.carried[name].take(steps.case) for name in flow.table.types}
        columns |= {
            f"{flow.name}_case_id": cases.carried["case"].take(steps.case),
            "step": Column.coded(steps.steps, self._steps),
            "step_index": Column.of(steps.index),
        }
        rows = EventRows(self._around, block, window, flow.name, steps.times, steps.entities, ids, flow.values, columns)
        columns = columns | flow.each.evaluate(rows)
        columns[f"{flow.name}_id"] = Column.of(ids)
        columns[f"{block.population.name}_id"] = Column.of(block.ids[steps.entities])
        emit(flow.name, rows, columns)

    def _emit_cases(self, cases: Pending, window: Window, emit: Emit) -> None:
        flow, block = self._flow, self._block
        assert flow.cases is not None
        ids = cases.carried["case"].values
        rows = EventRows(self._around, block, window, flow.cases.name, cases.times, cases.entities, ids, flow.values)
        columns = {name: cases.carried[name] for name in flow.table.types}
        columns |= {
            f"{flow.cases.name}_id": Column.of(ids),
            f"{block.population.name}_id": Column.of(block.ids[cases.entities]),
            "started_at": Column(cases.carried["began"].values, TIME_TYPE),
            "last_step": Column.coded(cases.carried["step"].values, self._steps),
            "steps": Column.of(cases.carried["index"].values + 1),
        }
        emit(flow.cases.name, rows, columns)
