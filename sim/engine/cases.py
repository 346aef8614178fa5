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
from sim.engine.visits import Journal, cases_of, nothing, stay, visits_of
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Flow

_MOST_ROUNDS = 100_000


class Cases:
    """The cases of one process without resources, in the blocks of this shard."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit every step that is taken in `window`."""
        for part in self._parts:
            part.open(window)
            part.close(window, emit)


def parts_of(around: Surroundings, flow: Flow, blocks: list[Block], hear: Hear, thinning: float) -> list[Part]:
    """The cases of one process, block by block."""
    happening = None if flow.start is None else Happening(around, flow.start, blocks, thinning)
    return [Part(around, flow, block, happening, hear) for block in blocks]


class Part:
    """The cases of one process in one block: `open` a window, let visits `leave`, `close` it.

    A case is a row of a `Pending`: its next step's time, its entity, and, carried along, `case`, `began`, `step`,
    `index`, the number of visits of each step that something depends on, and its attributes. `queueing` are the visits
    of the window that have come to a resource and have not been taken from there (see `sim.engine.visits`).
    """

    def __init__(self, around: Surroundings, flow: Flow, block: Block, happening: Happening | None, hear: Hear) -> None:
        self.flow = flow
        self.queueing: dict[int, list[Pending]] = {}
        self._around = around
        self._flow = flow
        self._block = block
        self._happening = happening
        self._hear = hear
        self._starter = Starter(around, flow.trigger, flow.name) if flow.trigger is not None else None
        self._brancher = Brancher(flow, block)
        self._calendar, self._staying, self._ending, self._visiting = (
            Calendar(around.model.start, around.model.tick, around.model.end) for _ in range(4)
        )
        self._journal = Journal(around, flow, block) if flow.visits is not None else None
        self._taken: list[Pending] = []
        self._left: list[Pending] = []

    def open(self, window: Window) -> None:
        """Start the cases of `window`, and take all as far as they go before its end, or to a resource."""
        beginning = self._begin(window)
        self._none = beginning.take(np.empty(0, dtype=np.int64))
        self._calendar.add(beginning)
        self._window = window
        self._rng = self._generator("steps", window)
        self._durations = self._generator("service", window) if any(self._flow.services) else self._rng
        self._taken, self._left = [], []
        self._go(self._due(self._calendar))
        self._go(self._onward(self._due(self._staying)))
        if self._flow.visits is not None and (due := self._visiting.due(window.number)) is not None:
            self.leave(due)

    def leave(self, visits: Pending) -> None:
        """Take in visits that are decided: they go on if they end in this window, else later."""
        later = visits.times >= self._window.until
        self._visiting.add(visits.where(later))
        visits = visits.where(~later)
        if len(visits.times):
            self._left.append(visits)
            served, reneged = cases_of(visits)
            self._go(self._onward(served))
            self._go(self._onward(reneged, gave_up=True))

    def close(self, window: Window, emit: Emit) -> None:
        """Emit what has happened in `window`."""
        self._emit_steps(Pending.concat([self._none, *self._taken]), window, emit)
        if self._flow.cases is not None:
            ended = self._ending.due(window.number) or self._none
            self._emit_cases(ended.take(np.flatnonzero(ended.times < window.until)), window, emit)
        if self._journal is not None:
            self._journal.emit(Pending.concat([nothing(self._none), *self._left]), window, emit)

    def _generator(self, name: str, window: Window) -> np.random.Generator:
        return self._around.randomness.generator(f"{self._flow.name}/{name}", self._block.index, window.number)

    def _due(self, calendar: Calendar) -> Pending:
        due = calendar.due(self._window.number)
        return self._none if due is None else due.take(np.flatnonzero(due.times < self._window.until))

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

    def _go(self, cases: Pending) -> None:
        """Take all steps before the end of the window, up to resources; what comes later goes into the calendars."""
        rounds = 0
        while len(cases.times):
            self._taken.append(cases)
            cases = self._onward(self._stay(cases))
            rounds += 1
            if rounds > _MOST_ROUNDS:
                self._give_up(cases)

    def _onward(self, cases: Pending, gave_up: bool = False) -> Pending:
        """Cases leave their steps: those that are at their next ones within the window."""
        if not len(cases.times):
            return cases
        following, ended = self._brancher.divert(cases) if gave_up else self._brancher.step(cases, self._rng)
        if self._flow.cases is not None:
            self._ending.add(ended)
        later = following.times >= self._window.until
        self._calendar.add(following.where(later))
        return following.where(~later)

    def _stay(self, cases: Pending) -> Pending:
        """Those who leave their steps within the window, when they do; who comes to a resource queues for it."""
        if not any(self._flow.services):
            return cases
        times, step = cases.times.copy(), cases.carried["step"].values
        free = np.ones(len(times), dtype=np.bool_)
        for code, service in enumerate(self._flow.services):
            here = np.flatnonzero(step == code)
            if service is None or not len(here):
                continue
            if service.resource < 0:
                times[here] += stay(service, self._durations, len(here))
            else:
                visits = visits_of(cases.take(here), service, self._block, self._durations)
                self.queueing.setdefault(service.resource, []).append(visits)
                free[here] = False
        cases = Pending(times, cases.entities, cases.carried)
        self._staying.add(cases.where(free & (times >= self._window.until)))
        return cases.where(free & (times < self._window.until))

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
