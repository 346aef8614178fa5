"""Running totals per entity: balances, counters, points, over all streams that share them, in the order of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.attributes.totals import RunningTotal
from sim.engine.block import Block
from sim.engine.growable import Growable
from sim.engine.rows import EventRows
from sim.model.model import Activity


@dataclass(frozen=True, slots=True)
class _Entry:
    """One attribute that shows a total: the activity's position, the attribute's name and what it says."""

    activity: int
    attribute: str
    spec: RunningTotal


class Ledgers:
    """The totals of one block's entities, each under its name."""

    def __init__(self, activities: Sequence[Activity]) -> None:
        self._count = len(activities)
        self._entries: dict[str, list[_Entry]] = {}
        self._balances: dict[str, Growable] = {}
        for number, activity in enumerate(activities):
            for attribute, spec in activity.table.totals:
                total = spec.total or f"{activity.name}.{attribute}"
                self._entries.setdefault(total, []).append(_Entry(number, attribute, spec))
                self._balances.setdefault(total, Growable(np.float64))

    def settle(
        self, block: Block, rows: Sequence[EventRows], drawn: Sequence[Mapping[str, Column]]
    ) -> list[dict[str, Column]]:
        """The totals after each of the rows, by activity and attribute; they are carried on to the next window."""
        shown: list[dict[str, Column]] = [{} for _ in range(self._count)]
        for total, entries in self._entries.items():
            balance = self._opened(block, total, entries[0].spec)
            values = [drawn[entry.activity][entry.spec.of].floats() * entry.spec.sign for entry in entries]
            times = [rows[entry.activity].times for entry in entries]
            entities = [rows[entry.activity].entities for entry in entries]
            after = _accumulate(
                balance, np.concatenate(entities), np.concatenate(times), np.nan_to_num(np.concatenate(values))
            )
            ends = np.cumsum([len(piece) for piece in times])
            for entry, piece in zip(entries, np.split(after, ends[:-1]), strict=True):
                shown[entry.activity][entry.attribute] = entry.spec.column(piece)
        return shown

    def _opened(self, block: Block, total: str, spec: RunningTotal) -> NDArray[np.float64]:
        """The balances of all entities, those of new ones at what they start with."""
        balance = self._balances[total]
        fresh = np.arange(len(balance), len(block))
        if isinstance(spec.start, str):
            kind, _, name = spec.start.rpartition(".")
            lineage = block.lineage()
            generation = next((g for g, own in enumerate(lineage) if own.population.name == kind), 0)
            holders = block.ancestors(fresh, generation)
            balance.extend(lineage[generation].columns[name].column.take(holders).floats())
        else:
            balance.extend(np.full(len(fresh), float(spec.start)))
        return balance.values


def _accumulate(
    balance: NDArray[np.float64],
    entities: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """`balance` plus the sums of values per entity up to each event; `balance` is brought up to date.

    Events at the same microsecond count in the order in which they are given.
    """
    order = np.lexsort((times, entities))
    who = entities[order]
    first = np.flatnonzero(np.diff(who, prepend=-1))
    length = np.diff(np.append(first, len(who)))
    sums = _sums_within(values[order], np.arange(len(who)) - np.repeat(first, length))
    sums += balance[who]
    after = np.empty(len(who))
    after[order] = sums
    last = first + length - 1
    balance[who[last]] = sums[last]
    return after


def _sums_within(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cumulative sums that begin anew where `place`, the position within a run, is 0.

    By doubling (Hillis and Steele 1986): one cumulative sum over everything would leave small sums with the rounding
    errors of the large ones before them.
    """
    sums = values.copy()
    step, later = 1, np.flatnonzero(place)
    while len(later):
        sums[later] += sums[later - step]
        step *= 2
        later = later[place[later] >= step]
    return sums
