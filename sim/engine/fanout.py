"""Children of facts: how many follow from each, when, and what they carry along."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sim.attributes.column import Column
from sim.batch import TIME, TIME_TYPE
from sim.engine.block import Block
from sim.engine.calendar import Calendar, Pending
from sim.engine.facts import Facts, check_room, fact_ids
from sim.engine.rows import EventRows, Surroundings
from sim.engine.window import Window
from sim.model.model import ChildActivity

Emit = Callable[[str, Facts], None]


class Fanout:
    """One child stream in one block. `parent` is the name of the stream that its facts follow from."""

    def __init__(self, around: Surroundings, block: Block, child: ChildActivity, parent: str) -> None:
        self._around = around
        self._block = block
        self._child = child
        self._parent = parent
        self._calendar = Calendar(around.model.start, around.model.tick)
        self._children = [Fanout(around, block, grandchild, child.name) for grandchild in child.children]

    def advance(self, window: Window, rows: EventRows, columns: Mapping[str, Column], emit: Emit) -> None:
        """Emit the children due in `window`, after taking in those of the parent's `rows` with their `columns`."""
        arriving = self._draw(window, rows, columns)
        if self._child.after is None:
            due: Pending | None = arriving
        else:
            self._calendar.add(arriving)
            due = self._calendar.due(window.number)
        if due is None:
            due = arriving.take(np.empty(0, dtype=np.int64))
        self._emit(window, due.take(np.flatnonzero(due.times < window.until)), emit)

    def _draw(self, window: Window, rows: EventRows, columns: Mapping[str, Column]) -> Pending:
        rng = self._around.randomness.generator(f"{self._child.name}/fanout", self._block.index, window.number)
        counts = self._child.count.draw(rng, len(rows))
        if self._child.probability < 1:
            counts = np.where(rng.random(len(rows)) < self._child.probability, counts, 0)
        check_room(self._child.name, float(counts.sum()), self._block.index, window)
        parents = np.repeat(np.arange(len(rows)), counts)
        times = rows.times[parents]
        if self._child.after is not None:
            times = times + np.maximum(self._child.after.draw(rng, len(parents)), 0.0).astype(np.int64)
        known = {**columns, TIME: Column(rows.times, TIME_TYPE)}
        carried = {f"{self._parent}.{name}": known[name].take(parents) for name in sorted(self._child.carried)}
        carried[f"{self._parent}_id"] = Column.of(rows.ids[parents])
        return Pending(times, rows.entities[parents], carried)

    def _emit(self, window: Window, due: Pending, emit: Emit) -> None:
        child, block = self._child, self._block
        ids = fact_ids(child.name, len(due.times), block.index, window)
        rows = EventRows(
            self._around, block, window, child.name, due.times, due.entities, ids, child.values, due.carried
        )
        columns = child.table.evaluate(rows)
        entity = f"{block.population.name}_id"
        columns |= {
            f"{child.name}_id": Column.of(ids),
            entity: Column.of(block.ids[due.entities]),
            f"{self._parent}_id": due.carried[f"{self._parent}_id"],
        }
        emit(child.name, Facts(due.times, columns))
        for grandchild in self._children:
            grandchild.advance(window, rows, columns, emit)
