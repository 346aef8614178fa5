"""Triggers at work: which facts of a stream start something, and when."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.batch import TIME, TIME_TYPE
from sim.engine.block import Block
from sim.engine.calendar import Calendar, Pending, delays
from sim.engine.facts import check_room
from sim.engine.rows import EventRows, Surroundings
from sim.engine.window import Window
from sim.model.incident import Key
from sim.model.model import Trigger


class Starter:
    """One trigger in one block; `name` is what it starts. `struck` says that incidents change how likely and when."""

    def __init__(self, around: Surroundings, trigger: Trigger, name: str, struck: bool = False) -> None:
        self._struck = struck
        self._around = around
        self._trigger = trigger
        self._name = name
        self._calendar = Calendar(around.model.start, around.model.tick, around.model.end)

    def advance(self, window: Window, rows: EventRows, columns: Mapping[str, Column]) -> Pending:
        """What falls due in `window`, by time, after taking in what the source's `rows` with their `columns` start.

        The carried columns are called after the source: `order.amount`, `order_id`.
        """
        arriving = self.draw(window, rows, columns)
        due: Pending | None = arriving
        if self._trigger.after is not None:
            self._calendar.add(arriving)
            due = self._calendar.due(window.number)
        if due is None:
            return arriving.take(np.empty(0, dtype=np.int64))
        return self._uncut(due.take(np.flatnonzero(due.times < window.until)), rows.block)

    def _uncut(self, due: Pending, block: Block) -> Pending:
        """What is due for those who are not cut off before; `block` is the source's."""
        target = block.lineage()[self._trigger.generations]
        if self._trigger.outlives or not target.cuts:
            return due
        return due.where(due.times <= target.ended(due.entities, cut=True))

    def draw(self, window: Window, rows: EventRows, columns: Mapping[str, Column]) -> Pending:
        """What the source's `rows` start, whenever it falls due."""
        trigger = self._trigger
        sources = self._chosen(rows, columns)
        times = rows.times[sources]
        if len(sources):  # a random stream costs more than all the rest where windows are short
            rng = self._around.randomness.generator(f"{self._name}/fanout", rows.block.index, window.number)
            counts = trigger.count.draw(rng, len(sources))
            factor = self._factor("probability", rows, sources)
            if trigger.probability < 1 or factor is not None:
                probability = trigger.probability * (1.0 if factor is None else factor)
                counts = np.where(rng.random(len(sources)) < probability, counts, 0)
            check_room(self._name, float(counts.sum()), rows.block.index, window)
            sources = np.repeat(sources, counts)
            times = rows.times[sources]
            if trigger.after is not None:
                factor = self._factor("delay", rows, sources)
                times = times + delays(trigger.after, rng, len(sources), factor)
        source = trigger.source
        known = {**columns, TIME: Column(rows.times, TIME_TYPE)}
        # What a birth's fact says of an attribute that changes is not what it is when something follows from it.
        own = source == rows.subject and not trigger.generations
        kept = trigger.carried - rows.block.population.changing if own else trigger.carried
        carried = {f"{source}.{name}": known[name].take(sources) for name in sorted(kept)}
        carried[f"{source}_id"] = Column.of(rows.ids[sources])
        entities = rows.block.ancestors(rows.entities[sources], trigger.generations)
        return Pending(times, entities, carried)

    def _factor(self, key: Key, rows: EventRows, sources: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """What incidents multiply by, for what follows from the facts at `sources`, as of their times."""
        if not self._struck:
            return None
        generations = self._trigger.generations
        entities = rows.block.ancestors(rows.entities[sources], generations)
        block, incidents = rows.block.lineage()[generations], self._around.incidents
        return incidents.factor(self._name, key, block, entities, rows.times[sources])

    def _chosen(self, rows: EventRows, columns: Mapping[str, Column]) -> np.ndarray:
        """The positions of the facts for which the trigger's condition holds."""
        program = self._trigger.where
        if program is None or not len(rows):
            return np.arange(len(rows))
        known = {name: columns[name] if name in columns else rows.column(name) for name in program.reads}
        holds = program.evaluate(known, len(rows), pa.bool_())
        return np.flatnonzero(holds.values & ~holds.is_null())
