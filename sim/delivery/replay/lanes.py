"""Lanes: row groups that follow each other in time, read in chunks; many lanes are merged into windows.

A chunk says how far its lane is known. Up to the earliest of these instants everything is at hand, so that is where a
window can end: at any time a lane holds about a chunk, however long the recording is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from sim.delivery.replay.reading import Chunk, Group, Shape, read

FOREVER = 2**62
"""An instant after all others."""


class Lane:
    """Row groups of one stream, none of which begins before the one in front of it ends; read in [start, end)."""

    def __init__(self, groups: Sequence[Group], shape: Shape, rows: int, start: int, end: int) -> None:
        self.shape = shape
        self._firsts = [max(group.first, start) for group in groups]
        self._chunks = self._read(groups, rows, start, end)
        self._held: list[Chunk] = []
        self._upcoming = 0
        self._over = False

    @property
    def known(self) -> int:
        """All rows before this instant have been read."""
        if self._over:
            return FOREVER
        if self._held:
            return int(self._held[-1][0][-1])
        return self._firsts[self._upcoming] if self._upcoming < len(self._firsts) else FOREVER

    def extend(self) -> None:
        """Read another chunk, if there is one."""
        chunk = next(self._chunks, None)
        if chunk is None:
            self._over = True
        else:
            self._held.append(chunk)

    def take(self, until: int) -> list[Chunk]:
        """The rows that have been read and are before `until`, once."""
        taken, kept = [], []
        for times, batch in self._held:
            place = int(np.searchsorted(times, until))
            if place:
                taken.append((times[:place], batch.slice(0, place)))
            if place < len(times):
                kept.append((times[place:], batch.slice(place)))
        self._held = kept
        return taken

    def _read(self, groups: Sequence[Group], rows: int, start: int, end: int) -> Iterator[Chunk]:
        for number, group in enumerate(groups):
            for chunk in read(group, self.shape, rows, start, end):
                self._upcoming = number + 1
                yield chunk
            self._upcoming = number + 1


def chains(groups: Sequence[Group]) -> list[list[Group]]:
    """As few chains as possible of groups that follow each other: as many as overlap at one instant."""
    ends: list[tuple[int, int]] = []
    chained: list[list[Group]] = []
    for group in sorted(groups, key=lambda group: (group.first, group.last, str(group.path), group.index)):
        if ends and ends[0][0] <= group.first:
            _, lane = heapq.heappop(ends)
            chained[lane].append(group)
        else:
            lane = len(chained)
            chained.append([group])
        heapq.heappush(ends, (group.last, lane))
    return chained


def merged(lanes: Sequence[Lane], start: int, end: int) -> Iterator[tuple[int, int, list[list[Chunk]]]]:
    """Windows that follow each other from `start` to `end`: their bounds, and what each lane has in them."""
    at = start
    while at < end:
        until = min(end, min((lane.known for lane in lanes), default=end))
        if until <= at:
            for lane in lanes:
                if lane.known <= at:
                    lane.extend()
            continue
        yield at, until, [lane.take(until) for lane in lanes]
        at = until
