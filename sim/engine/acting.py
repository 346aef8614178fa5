"""Acting: what entities do at a rate or on a schedule, what depends on their past, and what follows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.attributes.column import Column
from sim.engine.activity import Recurrence
from sim.engine.block import Block
from sim.engine.bursts import Bursts
from sim.engine.facts import fact_ids
from sim.engine.fanout import Emit, Fanout
from sim.engine.making import Making
from sim.engine.rows import EventRows, Surroundings
from sim.engine.window import Window
from sim.model.model import Activity


class Happening:
    """When and to whom an activity happens, in each of the blocks. `thinning` keeps that share of what is at a rate."""

    def __init__(self, around: Surroundings, activity: Activity, blocks: Sequence[Block], thinning: float) -> None:
        self._around = around
        self._activity = activity
        self._bursts = Bursts(around, activity, thinning) if activity.schedule is None else None
        scheduled = [] if activity.schedule is None else blocks
        self._recurrences = {block.index: Recurrence(activity, around) for block in scheduled}

    def rows(self, block: Block, window: Window) -> EventRows:
        """The rows of `window`, by time."""
        activity = self._activity
        rng = self._around.randomness.generator(f"{activity.name}/points", block.index, window.number)
        origins = None
        if self._bursts is None:
            times, entities = self._recurrences[block.index].sample(block, window, rng)
        else:
            times, entities, origins = self._bursts.sample(block, window, rng)
        ids = fact_ids(activity.name, len(times), block.index, window)
        values = activity.values
        return EventRows(self._around, block, window, activity.name, times, entities, ids, values, origins=origins)


class Acting:
    """Activities of one population that belong together because they share sequential values, or change what they
    read of each other, or just one."""

    def __init__(
        self,
        around: Surroundings,
        activities: Sequence[Activity],
        blocks: Sequence[Block],
        thinning: Mapping[str, float],
    ) -> None:
        self._activities = activities
        self._blocks = blocks
        self._happening = [Happening(around, a, blocks, thinning.get(a.name, 1.0)) for a in activities]
        self._making = [Making(block, [(a.name, a.table, a.sets) for a in activities]) for block in blocks]
        self._children = [
            [[Fanout(around, block, child) for child in activity.children] for activity in activities]
            for block in blocks
        ]

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit everything that happens in `window`."""
        for block, making, children in zip(self._blocks, self._making, self._children, strict=True):
            self._advance(block, making, children, window, emit)

    def _advance(
        self, block: Block, making: Making, children: Sequence[Sequence[Fanout]], window: Window, emit: Emit
    ) -> None:
        rows = [happening.rows(block, window) for happening in self._happening]
        drawn = making.columns(rows)
        for activity, own, columns, following in zip(self._activities, rows, drawn, children, strict=True):
            columns |= {
                f"{activity.name}_id": Column.of(own.ids),
                f"{block.population.name}_id": Column.of(block.ids.take(own.entities)),
            }
            emit(activity.name, own, columns)
            for fanout in following:
                fanout.advance(window, own, columns, emit)
