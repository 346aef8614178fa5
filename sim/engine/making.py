"""Making: the columns of facts, and what the facts make of their entities' attributes.

Where facts read what facts of the same streams set (the next plan follows from the present one), they are made in
rounds: the first of each entity in the window, then the second, and so on, so that each sees what came before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.attributes.table import AttributeTable
from sim.engine.block import Block
from sim.engine.rows import EventRows
from sim.engine.sequences import Sequences
from sim.engine.setting import Setter
from sim.maths.recurrences import in_order, places
from sim.model.settings import Setting

Indices = NDArray[np.int64]
Columns = dict[str, Column]


class Making:
    """Makes the facts of streams that belong together, in one block: each has a name, a table and what it sets."""

    def __init__(self, block: Block, streams: Sequence[tuple[str, AttributeTable, Sequence[Setting]]]) -> None:
        self._block = block
        self._tables = [table for _, table, _ in streams]
        self._sequences = Sequences([(name, table) for name, table, _ in streams])
        self._setters = [Setter(block, settings) for _, _, settings in streams]
        settings = [setting for _, _, settings in streams for setting in settings]
        reads = frozenset().union(*(table.timely for table in self._tables), *(s.value.reads for s in settings))
        self._own = [kept for setter in self._setters for kept in setter.varying(reads)]
        self._generation = max((setting.generation for setting in settings), default=0)

    def columns(self, rows: Sequence[EventRows]) -> list[Columns]:
        """The columns of each stream's rows, all but their ids; what the facts set is set."""
        if self._own:
            return self._in_rounds(rows)
        drawn = self._draw(rows)
        self._set(rows, drawn)
        return drawn

    def _draw(self, rows: Sequence[EventRows], before: Sequence[Columns] = ()) -> list[Columns]:
        """The columns of rows; of streams without any, those of an earlier round in which nothing is left."""
        drawn = [
            table.evaluate(own) if len(own) or not before else _nothing(before[place])
            for place, (table, own) in enumerate(zip(self._tables, rows, strict=True))
        ]
        self._sequences.complete(self._block, rows, drawn)
        return drawn

    def _set(self, rows: Sequence[EventRows], drawn: Sequence[Columns]) -> None:
        for setter, own, columns in zip(self._setters, rows, drawn, strict=True):
            setter.apply(own, columns)

    def _in_rounds(self, rows: Sequence[EventRows]) -> list[Columns]:
        pieces: list[list[Columns]] = []
        rounds = self._rounds(rows)
        for kept in self._own:
            kept.begin_rounds()
        for number in range(max(len(own) for own in rounds)):
            parts = [own.part(which[number], number) for own, which in zip(rows, rounds, strict=True)]
            pieces.append(self._draw(parts, pieces[0] if pieces else ()))
            self._set(parts, pieces[-1])
        for kept in self._own:
            kept.end_rounds()
        return [_joined([drawn[place] for drawn in pieces], which) for place, which in enumerate(rounds)]

    def _rounds(self, rows: Sequence[EventRows]) -> list[list[Indices]]:
        """The rows of each round, ascending, by stream; as many rounds for all, one at least."""
        entities = np.concatenate([self._block.ancestors(own.entities, self._generation) for own in rows])
        order = in_order(entities, np.concatenate([own.times for own in rows]))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = places(entities[order])
        most = int(rank.max(initial=0))
        ends = np.cumsum([len(own) for own in rows])[:-1]
        return [_by_rank(own, most) for own in np.split(rank, ends)]


def _by_rank(rank: Indices, most: int) -> list[Indices]:
    order = np.argsort(rank, kind="stable")
    return np.split(order, np.searchsorted(rank[order], np.arange(1, most + 1)))


def _nothing(columns: Columns) -> Columns:
    return {name: column.slice(0, 0) for name, column in columns.items()}


def _joined(pieces: Sequence[Columns], rounds: Sequence[Indices]) -> Columns:
    """Columns of rounds, in the order of the rows."""
    order = np.empty(sum(map(len, rounds)), dtype=np.int64)
    order[np.concatenate(rounds)] = np.arange(len(order))
    some = [place for place, rows in enumerate(rounds) if len(rows)] or [0]
    return {name: Column.concat([pieces[place][name] for place in some]).take(order) for name in pieces[0]}
