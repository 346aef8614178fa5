"""Sequential values per entity: balances, counters, readings, over all streams that share them, in order of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.attributes.sequential import Sequential
from sim.attributes.table import AttributeTable
from sim.attributes.totals import Posted, RunningTotal
from sim.engine.block import Block
from sim.engine.growable import Growable
from sim.engine.rows import EventRows
from sim.maths.arrays import Floats
from sim.maths.recurrences import floored, in_order, linear, places

_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class _Entry:
    """One attribute that shows a track: the stream's position, the attribute's name and what it says."""

    stream: int
    attribute: str
    spec: Sequential


@dataclass(slots=True)
class _Track:
    """One number for each entity of a block, and when the entity's last fact was."""

    entries: list[_Entry] = field(default_factory=list)
    state: Growable = field(default_factory=lambda: Growable(np.float64))
    seen: Growable = field(default_factory=lambda: Growable(np.int64))

    @property
    def spec(self) -> Sequential:
        """What the streams that share the number agree on."""
        return self.entries[0].spec


class Sequences:
    """The sequential values of one block's entities: those of streams that share them, or of a single stream."""

    def __init__(self, streams: Sequence[tuple[str, AttributeTable]]) -> None:
        self._tables = [table for _, table in streams]
        self._tracks: dict[str, _Track] = {}
        for number, (name, table) in enumerate(streams):
            for attribute, spec in table.sequences:
                if not isinstance(spec, Posted):
                    track = self._tracks.setdefault(spec.shared or f"{name}.{attribute}", _Track())
                    track.entries.append(_Entry(number, attribute, spec))

    def complete(self, block: Block, rows: Sequence[EventRows], drawn: Sequence[dict[str, Column]]) -> None:
        """Add to the columns of each stream's rows those that depend on the entities' past."""
        for table, own, columns, states in zip(
            self._tables, rows, drawn, self._settle(block, rows, drawn), strict=True
        ):
            if states:
                columns |= table.evaluate(own, columns | states, stage=1)

    def _settle(
        self, block: Block, rows: Sequence[EventRows], drawn: Sequence[Mapping[str, Column]]
    ) -> list[dict[str, Column]]:
        """The numbers after each of the rows, by stream and attribute; they are carried on to the next window."""
        states: list[dict[str, Column]] = [{} for _ in self._tables]
        for track in self._tracks.values():
            self._open(block, track)
            after, added = _advance(block, track, rows, drawn)
            ends = np.cumsum([len(rows[entry.stream]) for entry in track.entries])[:-1]
            for entry, piece, part in zip(track.entries, np.split(after, ends), np.split(added, ends), strict=True):
                states[entry.stream][entry.attribute] = Column.of(piece)
                for name, spec in self._tables[entry.stream].sequences:
                    if isinstance(spec, Posted) and spec.of == entry.attribute:
                        states[entry.stream][name] = Column.of(_posted(entry.spec, part))
        return states

    def _open(self, block: Block, track: _Track) -> None:
        """Bring the new entities in, at what they start with."""
        fresh = np.arange(len(track.state), len(block))
        track.state.extend(_level(block, track.spec.opening, fresh))
        if track.spec.timed:
            births = block.births[fresh]
            track.seen.extend(births if track.spec.since_birth else np.full(len(fresh), _NEVER))


def _posted(spec: Sequential, added: Floats) -> Floats:
    sign = spec.sign if isinstance(spec, RunningTotal) else 1
    return added * sign + 0.0


def _level(
    block: Block,
    level: float | str,
    entities: NDArray[np.int64],
    null: float = 0.0,
    times: NDArray[np.int64] | None = None,
) -> Floats:
    """A number, or the attribute of `entities` or of their ancestors that holds it: float64[n]; `null` for nulls.

    Attributes are as of `times`, or as the newborn have them.
    """
    if not isinstance(level, str):
        return np.full(len(entities), float(level))
    kind, _, name = level.rpartition(".")
    lineage = block.lineage()
    generation = next(g for g, own in enumerate(lineage) if own.population.name == kind)
    holders = block.ancestors(entities, generation)
    if name == "id":
        return lineage[generation].ids[holders].astype(np.float64)
    values = lineage[generation].attribute(name, holders, times).floats()
    return np.where(np.isnan(values), null, values)


def _advance(
    block: Block, track: _Track, rows: Sequence[EventRows], drawn: Sequence[Mapping[str, Column]]
) -> tuple[Floats, Floats]:
    """The numbers after every fact, and what was added, one stream after the other; the track is brought up to date.

    Events at the same microsecond count in the order in which the streams are given.
    """
    facts = [rows[entry.stream] for entry in track.entries]
    entities = np.concatenate([own.entities for own in facts])
    times = np.concatenate([own.times for own in facts])
    order = in_order(entities, times)
    who = entities[order]
    place = places(who)
    gaps = np.empty(len(who))
    gaps[order] = _gaps(track, who, times[order], place) if track.spec.timed else 0.0
    keeps, pushes = _steps(track, gaps, facts, drawn)
    before, added = track.state.values[who], pushes[order]
    floors = _floors(block, track, facts)
    if floors is None:
        after = linear(added, place, before, None if keeps is None else keeps[order])
    else:
        after, added = floored(added, place, before, floors[0][order], floors[1][order])
    last = np.flatnonzero(np.diff(who, append=-1))
    track.state.values[who[last]] = after[last]
    if track.spec.timed:
        track.seen.values[who[last]] = times[order][last]
    return _restored(after, order), _restored(added, order)


def _restored(values: Floats, order: NDArray[np.int64]) -> Floats:
    given = np.empty(len(values))
    given[order] = values
    return given


def _gaps(track: _Track, who: NDArray[np.int64], times: NDArray[np.int64], place: NDArray[np.int64]) -> Floats:
    """Microseconds since the entity's fact before, in the order of entities and times."""
    earlier = np.where(place > 0, np.roll(times, 1), track.seen.values[who])
    return np.where(earlier == _NEVER, np.inf, np.maximum(times - earlier, 0).astype(np.float64))


def _steps(
    track: _Track, gaps: Floats, facts: Sequence[EventRows], drawn: Sequence[Mapping[str, Column]]
) -> tuple[Floats | None, Floats]:
    keeps, pushes, done = [], [], 0
    for entry, own in zip(track.entries, facts, strict=True):
        columns = drawn[entry.stream]
        keep, push = entry.spec.steps(gaps[done : done + len(own)], columns.__getitem__, _normal(own, entry.attribute))
        pushes.append(push)
        keeps.append(keep)
        done += len(own)
    known = [keep for keep in keeps if keep is not None]
    return np.concatenate(known) if known else None, np.concatenate(pushes)


def _normal(own: EventRows, attribute: str) -> Callable[[], Floats]:
    return partial(_draw, own, f"{attribute}/steps")


def _draw(own: EventRows, name: str) -> Floats:
    return own.rng(name).standard_normal(len(own))


def _floors(block: Block, track: _Track, facts: Sequence[EventRows]) -> tuple[Floats, NDArray[np.bool_]] | None:
    """The floor of every fact, and whether it is clipped there; None where no stream has a floor."""
    bounds, clipped, any_ = [], [], False
    for entry, own in zip(track.entries, facts, strict=True):
        floor = entry.spec.floor if isinstance(entry.spec, RunningTotal) else None
        any_ |= floor is not None
        bounds.append(_level(block, -np.inf if floor is None else floor, own.entities, -np.inf, own.times))
        clipped.append(np.full(len(own), isinstance(entry.spec, RunningTotal) and entry.spec.below == "clip"))
    return (np.concatenate(bounds), np.concatenate(clipped)) if any_ else None
