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
from sim.engine.making import Making
from sim.engine.rows import EventRows, Surroundings
from sim.engine.trigger import Starter
from sim.engine.visits import Journal, cases_of, nothing, stay, visits_of
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Flow

_MOST_ROUNDS = 100_000
_MOVING = frozenset({"case.step", "case.index"})


class Moves:
    """Where the steps of a window have led that do not lead on in it."""

    def __init__(self) -> None:
        self.later: list[Places] = []
        self.ended: list[Places] = []

    def sort(self, at: Places, following: Places, until: int) -> Places:
        """Of the cases that go from `at` to `following`, those that are there before `until`; the others are noted."""
        over = following.steps == END
        gone = np.flatnonzero(over)
        self.ended.append(replace(at.take(gone), times=following.times[gone]))
        beyond = following.times >= until
        self.later.append(following.take(np.flatnonzero(beyond & ~over)))
        return following.take(np.flatnonzero(~beyond & ~over))


class Cases:
    """The cases of one process without resources, in the blocks of this shard."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit every step that is taken in `window`."""
        for part in self._parts:
            part.open(window)
            part.close(emit)


def parts_of(around: Surroundings, flow: Flow, blocks: list[Block], hear: Hear, thinning: float) -> list[Part]:
    """The cases of one process, block by block."""
    happening = None if flow.start is None else Happening(around, flow.start, blocks, thinning)
    return [Part(around, flow, block, happening, hear) for block in blocks]


class Part:
    """The cases of one process in one block: `open` a window, let visits `leave`, `close` it.

    A case that waits is a row of a `Pending`: its next step's time, its entity, and, carried along, its `case.id`, when
    it began (`case.began`), its step and index, the number of visits of each step that something depends on, and its
    attributes, which have no dot in their names. `queueing` are the visits of the window that have come to a resource
    and have not been taken from there (see `sim.engine.visits`).
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
        self._cuts = block.cuts
        self._brancher = Brancher(flow, block, around.incidents)
        self._making = Making(block, [(flow.name, flow.each, flow.sets)])
        self._steps = strings(flow.steps)
        self._visits = [f"visits.{step}" for step in flow.counted]
        self._calendar, self._staying, self._visiting, self._ending = (
            Calendar(around.model.start, around.model.tick, around.model.end) for _ in range(4)
        )
        self._journal = Journal(around, flow, block) if flow.visits is not None else None
        self._stays = {step: service for step, service in enumerate(flow.services) if service is not None}

    def open(self, window: Window) -> None:
        """Start the cases of `window`, and take all as far as they go before its end, or to a resource."""
        self._window = window
        self._generators: dict[str, np.random.Generator] = {}
        self._tables: list[Pending] = []
        self._taken: list[Places] = []
        self._left: list[Pending] = []
        self._rows = self._count = 0
        cases = self._begin(window)
        if (waiting := self._calendar.due(window.number)) is not None:
            cases = Pending.concat([cases, waiting])
        self._none = cases.take(np.empty(0, dtype=np.int64))
        self._go(cases, self._places(cases))
        if self._stays and (staying := self._staying.due(window.number)) is not None:
            self._onward(staying)
        if self._journal is not None and (visiting := self._visiting.due(window.number)) is not None:
            self.leave(visiting)

    def leave(self, visits: Pending) -> None:
        """Take in visits that are decided: they go on if they end in this window, else later."""
        later = visits.times >= self._window.until
        self._visiting.add(visits.where(later))
        visits = visits.where(~later)
        if len(visits.times):
            self._left.append(visits)
            served, reneged = cases_of(visits)
            self._onward(served)
            self._onward(reneged, gave_up=True)

    def close(self, emit: Emit) -> None:
        """Emit what has happened in the window."""
        window = self._window
        taken = Places.concat([self._places(self._none), *self._taken])
        cases = Pending.concat(self._tables)
        self._emit_steps(cases, taken.take(stable_order(taken.times, window)), window, emit)
        if self._flow.cases is not None:
            over = self._ending.due(window.number) or self._none
            if self._cuts:
                over = over.where(over.times <= self._block.ended(over.entities, cut=True))
            self._emit_cases(over, window, emit)
        if self._journal is not None:
            self._journal.emit(Pending.concat([nothing(self._none), *self._left]), window, emit)

    def _begin(self, window: Window) -> Pending:
        """The cases that start in `window`, at their first step."""
        flow, block = self._flow, self._block
        times, entities, given = self._starts(window)
        ids = fact_ids(f"{flow.name}_case", len(times), block.index, window)
        rows = EventRows(self._around, block, window, flow.name, times, entities, ids, flow.values, given)
        carried = flow.table.evaluate(rows)
        nothing = Column.of(np.zeros(len(times), dtype=np.int64))
        carried |= {"case.id": Column.of(ids), "case.began": Column.of(times), "case.index": nothing}
        carried |= {"case.step": Column.of(self._first(len(times), window)), **dict.fromkeys(self._visits, nothing)}
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

    def _drawing(self, name: str) -> np.random.Generator:
        """A generator of this window, made when it is first needed."""
        if name not in self._generators:
            self._generators[name] = self._rng(name, self._window)
        return self._generators[name]

    def _onward(self, cases: Pending, gave_up: bool = False) -> None:
        """Cases leave the steps at which they are, and go on."""
        if len(cases.times):
            at = self._places(cases)
            following = self._brancher.divert(at) if gave_up else self._brancher.step(at, self._drawing("steps"))
            moves = Moves()
            self._go(cases, moves.sort(at, following, self._window.until), moves)

    def _go(self, cases: Pending, at: Places, moves: Moves | None = None) -> None:
        """Take all steps before the end of the window, up to resources; the calendars get what comes later."""
        moves, first = moves or Moves(), self._rows
        self._tables.append(cases)
        self._rows += len(cases.times)
        rounds = 0
        while len(at := self._uncut(at)):
            self._taken.append(replace(at, case=at.case + first) if first else at)
            self._count += len(at)
            check_room(self._flow.name, self._count, self._block.index, self._window)
            at = self._stay(cases, at) if self._stays else at
            if len(at):
                following = self._brancher.step(at, self._drawing("steps"))
                at = moves.sort(at, following, self._window.until)
            rounds += 1
            if rounds > _MOST_ROUNDS and len(at):
                self._give_up(at)
        if moves.later:
            self._calendar.add(self._at(cases, Places.concat(moves.later)))
        if moves.ended and self._flow.cases is not None:
            self._ending.add(self._at(cases, Places.concat(moves.ended)))

    def _uncut(self, at: Places) -> Places:
        """Those who are not cut off before they come to their steps."""
        if not self._cuts or not len(at):
            return at
        return at.take(np.flatnonzero(at.times <= self._block.ended(at.entities, cut=True)))

    def _stay(self, cases: Pending, at: Places) -> Places:
        """Those who leave their steps within the window, when they do; who comes to a resource queues for it."""
        times = at.times.copy()
        free = np.ones(len(at), dtype=np.bool_)
        for step, service in self._stays.items():
            here = np.flatnonzero(at.steps == step)
            if not len(here):
                continue
            factor = self._around.incidents.factor(
                self._flow.name, "delay", self._block, at.entities[here], at.times[here], at.steps[here]
            )
            if service.resource < 0:
                times[here] += stay(service, self._drawing("service"), len(here), factor)
            else:
                arriving = self._at(cases, at.take(here))
                visits = visits_of(arriving, service, self._block, self._drawing("service"), factor)
                self.queueing.setdefault(service.resource, []).append(visits)
                free[here] = False
        at = replace(at, times=times)
        later = times >= self._window.until
        self._staying.add(self._at(cases, at.take(np.flatnonzero(free & later))))
        return at.take(np.flatnonzero(free & ~later))

    def _places(self, cases: Pending) -> Places:
        """Where `cases` are."""
        carried = cases.carried
        visits = [carried[name].values for name in self._visits]
        counted = np.stack(visits, axis=1) if visits else np.zeros((len(cases.times), 0), dtype=np.int64)
        rows = np.arange(len(cases.times))
        return Places(
            rows, cases.entities, cases.times, carried["case.step"].values, carried["case.index"].values, counted
        )

    def _at(self, cases: Pending, places: Places) -> Pending:
        """`cases` as they are at `places`, with their attributes."""
        carried = {name: column.take(places.case) for name, column in cases.carried.items() if name not in _MOVING}
        carried |= {"case.step": Column.of(places.steps), "case.index": Column.of(places.index)}
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
            f"{flow.name}_case_id": cases.carried["case.id"].take(steps.case),
            "step": Column.coded(steps.steps, self._steps),
            "step_index": Column.of(steps.index),
        }
        rows = EventRows(
            self._around,
            block,
            window,
            flow.name,
            steps.times,
            steps.entities,
            ids,
            flow.values,
            columns,
            steps=steps.steps,
        )
        (drawn,) = self._making.columns([rows])
        columns = columns | drawn
        columns[f"{flow.name}_id"] = Column.of(ids)
        columns[f"{block.population.name}_id"] = Column.of(block.ids[steps.entities])
        emit(flow.name, rows, columns)

    def _emit_cases(self, cases: Pending, window: Window, emit: Emit) -> None:
        flow, block = self._flow, self._block
        assert flow.cases is not None
        ids = cases.carried["case.id"].values
        rows = EventRows(self._around, block, window, flow.cases.name, cases.times, cases.entities, ids, flow.values)
        columns = {name: cases.carried[name] for name in flow.table.types}
        columns |= {
            f"{flow.cases.name}_id": Column.of(ids),
            f"{block.population.name}_id": Column.of(block.ids[cases.entities]),
            "started_at": Column(cases.carried["case.began"].values, TIME_TYPE),
            "last_step": Column.coded(cases.carried["case.step"].values, self._steps),
            "steps": Column.of(cases.carried["case.index"].values + 1),
        }
        emit(flow.cases.name, rows, columns)
