"""A recording: streams whose facts lie in Parquet files, and the windows in which they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sim.batch import Batch, Stream
from sim.delivery.replay.lanes import Lane, chains, merged
from sim.delivery.replay.reading import Chunk, Group, Shape, ascending, column_times, opened, ordered_parts
from sim.errors import ParameterError

WINDOW = 262_144
"""Facts in a window, about, further copies of them included."""

CHUNK = 65_536
"""The most rows that are decoded at once."""

LEAST = 256

HELD = 2_097_152
"""The most rows that all lanes together hold."""

LANES = 512
"""The most row groups that may overlap at one instant, in all streams: as many files are open then."""

UNSORTED = 2**30
"""Bytes of rows that may have to be held because they are not in order of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A stream of a recording: where its rows are, and how they become facts; `largest` is its largest id or key."""

    shape: Shape
    groups: tuple[Group, ...]
    largest: int = 0

    @property
    def stream(self) -> Stream:
        """What its facts look like."""
        return self.shape.stream


@dataclass(frozen=True)
class Recording:
    """Recorded facts in [start, end), microseconds since the epoch. `own`: datagen's, by its conventions of names.

    `origin` says where a later process finds the same facts, if that has to be said; then it identifies them, too.
    """

    name: str
    recorded: tuple[Recorded, ...]
    start: int
    end: int
    own: bool = False
    notes: tuple[str, ...] = ()
    origin: str | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, by rank."""
        return tuple(recorded.stream for recorded in self.recorded)

    @property
    def facts(self) -> int:
        """The facts of all row groups that reach into the interval."""
        return sum(group.rows for recorded in self.recorded for group in recorded.groups)

    @property
    def moving(self) -> dict[str, Mapping[str, str]]:
        """Per stream, columns of whole numbers that are instants, and what they count."""
        return {recorded.stream.name: recorded.shape.moving for recorded in self.recorded}

    @property
    def digest(self) -> str:
        """What identifies the facts, as far as it can be known without reading them all."""
        told = [self.name, self.start, self.end]
        for recorded in self.recorded:
            told += [recorded.stream.name, recorded.stream.schema.to_string()]
            groups = [(g.path.name, g.index, g.first, g.last, g.rows, g.bytes) for g in recorded.groups]
            told += groups if self.origin is None else [self.origin, sum(group.rows for group in recorded.groups)]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def part(self, start: int | None, end: int | None) -> Recording:
        """The facts in [start, end) only, where these are given. Raises ParameterError where that is nothing."""
        start = self.start if start is None else max(start, self.start)
        end = self.end if end is None else min(end, self.end)
        recorded = tuple(_part(each, start, end) for each in self.recorded)
        if start >= end or not any(each.groups for each in recorded):
            raise ParameterError(f"{self.name} has no facts in this interval: it has those {interval(self)}")
        return replace(self, recorded=recorded, start=start, end=end)

    def batches(self, copies: int = 1) -> Iterator[Batch]:
        """The facts in windows, one batch a stream; the windows are smaller where every fact is to be copied."""
        lanes = [(recorded, chains(recorded.groups)) for recorded in self.recorded]
        count = max(1, sum(len(chained) for _, chained in lanes))
        rows = max(LEAST, min(CHUNK, HELD // count, WINDOW // copies))
        made = [
            Lane(groups, recorded.shape, rows, self.start, self.end)
            for recorded, chained in lanes
            for groups in chained
        ]
        for start, until, taken in merged(made, self.start, self.end):
            chunks = [chunk for own in taken for chunk in own]
            for cut in _cuts(chunks, start, until, max(1, WINDOW // copies)):
                yield from self._window(made, taken, *cut)

    def check(self) -> None:
        """Raise ParameterError where the rows are too far out of order to be merged."""
        lanes = {recorded: len(chains(recorded.groups)) for recorded in self.recorded}
        if sum(lanes.values()) > LANES:
            worst = max(lanes, key=lambda recorded: lanes[recorded])
            clock, groups = worst.shape.clock.column, len(worst.groups)
            overlap = f"{lanes[worst]:,} row groups of {groups:,} overlap in time, at most {LANES:,} can be merged"
            raise ParameterError(f"{worst.stream.name}: {overlap}: sort the rows by {clock} first")
        for recorded in self.recorded:
            _check_memory(recorded)

    def _window(self, lanes: Sequence[Lane], taken: Sequence[list[Chunk]], start: int, until: int) -> Iterator[Batch]:
        for recorded in self.recorded:
            own = [c for lane, found in zip(lanes, taken, strict=True) if lane.shape is recorded.shape for c in found]
            parts = [part for chunk in own if len((part := _between(chunk, start, until))[0])]
            yield Batch(recorded.stream, ordered_parts(parts, recorded.stream), start, until)


def interval(recording: Recording) -> str:
    """Where a recording begins and ends, in words."""
    from sim.maths.instants import format_instant

    return f"from {format_instant(recording.start)} to {format_instant(recording.end)}"


def bounds(recorded: Sequence[Recorded]) -> tuple[int, int]:
    """The first instant, and the end: as long after the last fact as facts are apart on average."""
    groups = [group for each in recorded for group in each.groups if group.rows]
    first, last = min(group.first for group in groups), max(group.last for group in groups)
    facts = sum(group.rows for group in groups)
    return first, last + max(1, (last - first) // max(1, facts - 1))


def _part(recorded: Recorded, start: int, end: int) -> Recorded:
    kept = tuple(group for group in recorded.groups if group.rows and group.first < end and group.last >= start)
    return Recorded(recorded.shape, kept, recorded.largest)


def _between(chunk: Chunk, start: int, until: int) -> Chunk:
    times, batch = chunk
    first, last = int(np.searchsorted(times, start)), int(np.searchsorted(times, until))
    return times[first:last], batch.slice(first, last - first)


def _cuts(chunks: Sequence[Chunk], start: int, until: int, most: int) -> Iterator[tuple[int, int]]:
    """The interval in parts with about so many facts; facts of one instant stay together."""
    if sum(len(times) for times, _ in chunks) <= most:
        yield start, until
        return
    times = np.sort(np.concatenate([times for times, _ in chunks]), kind="stable")
    inner = np.unique(times[most::most])
    yield from pairwise([start, *inner[inner > start].tolist(), until])


def _check_memory(recorded: Recorded) -> None:
    name, groups, clock = recorded.stream.name, recorded.groups, recorded.shape.clock.column
    if _overlap(groups) <= UNSORTED:
        return
    unsorted = [group for group in groups if not _in_order(group, recorded.shape)]
    if (held := _overlap(unsorted)) > UNSORTED:
        said = f"{len(unsorted):,} row groups of {len(groups):,} are not in order of {clock}"
        room = f"{_size(held)} of them overlap, and {_size(UNSORTED)} can be put in order during a replay"
        raise ParameterError(f"{name}: {said}; {room}: sort the rows by {clock} first")


def _size(count: int) -> str:
    return f"{count / 2**20:,.2f} MiB"


def _overlap(groups: Sequence[Group]) -> int:
    """The most bytes of groups at one instant."""
    if not groups:
        return 0
    begins, ends = (np.array([getattr(group, name) for group in groups]) for name in ("first", "last"))
    sizes = np.array([group.bytes for group in groups])
    instants = np.concatenate([begins, ends + 1])
    changes = np.concatenate([sizes, -sizes])
    order = np.lexsort((changes, instants))
    return int(np.cumsum(changes[order]).max())


def _in_order(group: Group, shape: Shape) -> bool:
    with opened(group.path) as file:
        return ascending(column_times(file, group.index, shape.clock))
