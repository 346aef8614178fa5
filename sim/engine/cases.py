"""Cases: multi-stage processes, all cases of a block together, step by step in vectorised rounds.

A case needs nobody else to go on, so a round takes every case that is due in the window one step further; what falls
past the window waits in the calendar. Each step is a fact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.engine.acting import Happening
from sim.engine.block import Block
from sim.engine.branching import Brancher
from sim.engine.calendar import Calendar, Pending
from sim.engine.facts import fact_ids
from sim.engine.fanout import Emit, Hear
from sim.engine.rows import EventRows, Surroundings
from sim.engine.trigger import Starter
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Flow

_MOST_ROUNDS = 100_000


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

    A case is a row of a `Pending`: its next step's time, its entity, and, carried along, `case`, `began`, `step`,
    `index`, the number of visits of each step that something depends on, and its attributes.
    """

    def __init__(self, around: Surroundings, flow: Flow, block: Block, happening: Happening | None, hear: Hear) -> None:
        self._around = around
        self._flow = flow
        self._block = block
        self._happening = happening
        self._hear = hear
        self._starter = Starter(around, flow.trigger, flow.name) if flow.trigger is not None else None
        self._brancher = Brancher(flow, block)
        self._calendar = Calendar(around.model.start, around.model.tick, around.model.end)
        self._ending = Calendar(around.model.start, around.model.tick, around.model.end)

    def advance(self, window: Window, emit: Emit) -> None:
        beginning = self._begin(window)
        self._calendar.add(beginning)
        none = beginning.take(np.empty(0, dtype=np.int64))
        due = self._calendar.due(window.number)
        rng = self._around.randomness.generator(f"{self._flow.name}/steps", self._block.index, window.number)
        taken = [] if due is None else self._go(due.take(np.flatnonzero(due.times < window.until)), window, rng)
        self._emit_steps(Pending.concat([none, *taken]), window, emit)
        if self._flow.cases is not None:
            ended = self._ending.due(window.number) or none
            self._emit_cases(ended.take(np.flatnonzero(ended.times < window.until)), window, emit)

    def _begin(self, window: Window) -> Pending:
        """The cases that start in `window`, at their first step."""
        flow, block = self._flow, self._block
        times, entities, given = self._starts(window)
        ids = fact_ids(f"{flow.name}_case", len(times), block.index, window)
        rows = EventRows(self._around, block, window, flow.name, times, entities, ids, flow.values, given)
        carried = flow.table.evaluate(rows)
        carried |= {
            "case": Column.of(ids),
            "began": Column.of(times),
            "step": Column.of(self._first(len(times), window)),
            "index": Column.of(np.zeros(len(times), dtype=np.int64)),
        }
        carried |= {f"visits.{step}": Column.of(np.zeros(len(times), dtype=np.int64)) for step in flow.counted}
        return Pending(times, entities, carried)

    def _first(self, count: int, window: Window) -> NDArray[np.int64]:
        """The first steps of new cases."""
        shares = np.cumsum(self._flow.first)
        if np.count_nonzero(self._flow.first) == 1:
            return np.full(count, np.argmax(self._flow.first))
        rng = self._around.randomness.generator(f"{self._flow.name}/first", self._block.index, window.number)
        return np.searchsorted(shares / shares[-1], rng.random(count), side="right")

    def _starts(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, Column]]:
        if self._starter is not None and self._flow.trigger is not None:
            happened = self._hear(self._flow.trigger.source, self._block.index)
            assert happened is not None
            due = self._starter.advance(window, *happened)
            return due.times, due.entities, due.carried
        assert self._happening is not None
        rows = self._happening.rows(self._block, window)
        rng = self._around.randomness.generator(f"{self._flow.name}/count", self._block.index, window.number)
        each = np.repeat(np.arange(len(rows)), self._flow.count.draw(rng, len(rows)))
        return rows.times[each], rows.entities[each], {}

    def _go(self, cases: Pending, window: Window, rng: np.random.Generator) -> list[Pending]:
        """Take all steps before the end of the window; what comes later goes into the calendar."""
        taken = []
        while len(cases.times):
            taken.append(cases)
            following, ended = self._brancher.step(cases, rng)
            if self._flow.cases is not None:
                self._ending.add(ended)
            later = following.times >= window.until
            self._calendar.add(following.take(np.flatnonzero(later)))
            cases = following.take(np.flatnonzero(~later))
            if len(taken) > _MOST_ROUNDS:
                self._give_up(cases)
        return taken

    def _give_up(self, cases: Pending) -> None:
        who, when = self._block.name(int(cases.entities[0])), format_instant(int(cases.times[0]))
        step = self._flow.steps[int(cases.carried["step"].values[0])]
        raise SimulationError(
            f"{self._flow.name}, {who}, {when}: more than {_MOST_ROUNDS:,} steps within a tick, now at {step!r};"
            " give a step of the loop a limit, or its branches time"
        )

    def _emit_steps(self, steps: Pending, window: Window, emit: Emit) -> None:
        flow, block = self._flow, self._block
        case, index = steps.carried["case"].values, steps.carried["index"].values
        steps = steps.take(np.lexsort((index, case, steps.times)))
        ids = fact_ids(flow.name, len(steps.times), block.index, window)
        columns = {name: steps.carried[name] for name in flow.table.types}
        columns |= {
            f"{flow.name}_case_id": steps.carried["case"],
            "step": Column.coded(steps.carried["step"].values, self._brancher.dictionary),
            "step_index": steps.carried["index"],
        }
        rows = EventRows(self._around, block, window, flow.name, steps.times, steps.entities, ids, flow.values, columns)
        columns = columns | flow.each.evaluate(rows)
        columns[f"{flow.name}_id"] = Column.of(ids)
        columns[f"{block.population.name}_id"] = Column.of(block.ids[steps.entities])
        emit(flow.name, rows, columns)

    def _emit_cases(self, cases: Pending, window: Window, emit: Emit) -> None:
        flow, block = self._flow, self._block
        assert flow.cases is not None
        cases = cases.take(np.lexsort((cases.carried["case"].values, cases.times)))
        ids = cases.carried["case"].values
        rows = EventRows(self._around, block, window, flow.cases.name, cases.times, cases.entities, ids, flow.values)
        columns = {name: cases.carried[name] for name in flow.table.types}
        columns |= {
            f"{flow.cases.name}_id": Column.of(ids),
            f"{block.population.name}_id": Column.of(block.ids[cases.entities]),
            "started_at": Column(cases.carried["began"].values, TIME_TYPE),
            "last_step": Column.coded(cases.carried["step"].values, self._brancher.dictionary),
            "steps": Column.of(cases.carried["index"].values + 1),
        }
        emit(flow.cases.name, rows, columns)
