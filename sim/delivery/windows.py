"""Windows: the batches of all streams over one half-open interval of event time, and how to cut them.

The total order of facts is (event_time, rank of the stream, id). Inside a window every batch is sorted by
(event_time, id) and the batches follow each other by rank, so the total order needs event times only: equal times go
by rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sim.batch import Batch
from sim.errors import SimulationError

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """The facts of all streams in [start, until), one batch a stream at most, by rank."""

    batches: tuple[Batch, ...]
    start: int
    until: int

    @cached_property
    def facts(self) -> int:
        """How many facts the window holds, over all streams."""
        return sum(map(len, self.batches))

    @cached_property
    def times(self) -> tuple[Times, ...]:
        """Per batch the times that order its facts, int64 microseconds, ascending."""
        return tuple(batch.times for batch in self.batches)

    def rows(self, first: Sequence[int], last: Sequence[int], start: int, until: int) -> Window:
        """Rows first[i]:last[i] of every batch i as a window of [start, until); empty batches are left out."""
        cuts = zip(self.batches, first, last, strict=True)
        batches = (batch.part(i, j, start, until) for batch, i, j in cuts if j > i)
        return Window(tuple(batches), start, until)

    def head(self, facts: int) -> Window:
        """The first facts of the window in the total order; the whole window where it has no more than that."""
        if facts >= self.facts:
            return self
        if facts <= 0:
            return self.rows([0] * len(self.batches), [0] * len(self.batches), self.start, self.start)
        last = int(np.partition(np.concatenate(self.times), facts - 1)[facts - 1])
        counts = [int(np.searchsorted(times, last, "left")) for times in self.times]
        ties = [int(np.searchsorted(times, last, "right")) for times in self.times]
        room = facts - sum(counts)
        for i, (before, upto) in enumerate(zip(counts, ties, strict=True)):
            taken = min(room, upto - before)
            counts[i] += taken
            room -= taken
        return self.rows([0] * len(self.batches), counts, self.start, last + 1)


def windows(batches: Iterable[Batch], streams: int) -> Iterator[Window]:
    """Group batches into windows; every window holds one batch for each of that many streams, by rank.

    SimulationError where the batches break that promise, because an order that is wrong must not reach a sink.
    """
    source = iter(batches)
    while group := tuple(islice(source, max(1, streams))):
        start, until = group[0].start, group[0].until
        if len(group) != streams or any((b.start, b.until) != (start, until) for b in group):
            names = ", ".join(batch.stream.name for batch in group)
            raise SimulationError(f"the window at {start} is not whole: {len(group)} of {streams} streams ({names})")
        yield Window(group, start, until)


def remaining(source: Iterable[Window], there: Mapping[str, int]) -> Iterator[Window]:
    """The windows of a run without the first facts of each stream, `there` by name: those are delivered already.

    A window that loses facts begins with the first that is left.
    """
    left = dict(there)
    for window in source:
        if not any(left.values()):
            yield window
            continue
        gone = [min(left.get(batch.stream.name, 0), len(batch)) for batch in window.batches]
        for batch, count in zip(window.batches, gone, strict=True):
            left[batch.stream.name] = left.get(batch.stream.name, 0) - count
        ahead = [int(times[i]) for times, i in zip(window.times, gone, strict=True) if i < len(times)]
        start = min(ahead, default=window.until - 1) if any(gone) else window.start
        yield window.rows(gone, [len(batch) for batch in window.batches], start, window.until)


def limited(source: Iterable[Window], facts: int) -> Iterator[Window]:
    """The first facts of a run in the total order; ends as soon as the last of them is through."""
    left = facts
    for window in source if left > 0 else ():
        cut = window.head(left)
        left -= cut.facts
        yield cut
        if left <= 0:
            return
