"""Followers: facts that follow from the facts of another stream, at once or later."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sim.attributes.column import Column
from sim.engine.block import Block
from sim.engine.facts import fact_ids
from sim.engine.making import Making
from sim.engine.rows import EventRows, Surroundings
from sim.engine.trigger import Starter
from sim.engine.window import Window
from sim.model.model import Follower

Emit = Callable[[str, EventRows, dict[str, Column]], None]
"""Takes the rows of a stream with all their columns but the event time."""

Hear = Callable[[str, int], tuple[EventRows, dict[str, Column]] | None]
"""The rows of a stream in a block in the present window, with their columns; None where it has not run (yet)."""


class Fanout:
    """One stream that follows from another, in the block of its own population."""

    def __init__(self, around: Surroundings, block: Block, follower: Follower) -> None:
        self._around = around
        self._block = block
        self._follower = follower
        self._starter = Starter(around, follower.trigger, follower.name, struck=True)
        self._making = Making(block, [(follower.name, follower.table, follower.sets)])
        self._children = [Fanout(around, block, child) for child in follower.children]

    def advance(self, window: Window, rows: EventRows, columns: Mapping[str, Column], emit: Emit) -> None:
        """Emit the facts due in `window`, after taking in those that follow from the source's `rows`."""
        follower, block = self._follower, self._block
        due = self._starter.advance(window, rows, columns)
        ids = fact_ids(follower.name, len(due.times), block.index, window)
        own = EventRows(
            self._around, block, window, follower.name, due.times, due.entities, ids, follower.values, due.carried
        )
        (made,) = self._making.columns([own])
        source = f"{follower.trigger.source}_id"
        made |= {
            f"{follower.name}_id": Column.of(ids),
            f"{block.population.name}_id": Column.of(block.ids[due.entities]),
            source: due.carried[source],
        }
        emit(follower.name, own, made)
        for child in self._children:
            child.advance(window, own, made, emit)


class Following:
    """A stream that follows from one of another node, in the blocks of this shard."""

    def __init__(self, around: Surroundings, follower: Follower, blocks: list[Block], hear: Hear) -> None:
        self._source = follower.trigger.source
        self._fanouts = {block.index: Fanout(around, block, follower) for block in blocks}
        self._hear = hear

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit the facts due in `window`."""
        for index, fanout in self._fanouts.items():
            happened = self._hear(self._source, index)
            assert happened is not None
            fanout.advance(window, *happened, emit)
