"""Staged facts: encoded ahead of their time, so that they can leave one by one when they are due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.batch import Batch
    from sinks.contract import Sink

Places = NDArray[np.int64]


class Staged:
    """The facts of a few batches in their total order, of which more and more have left.

    This one, which does for every sink, writes them all when the last is to leave. A sink whose target takes facts one
    by one has a subclass with `gradual` set, whose `_send` lets parts of the batches go at once.
    """

    gradual = False

    def __init__(self, sink: Sink, batches: Sequence[Batch]) -> None:
        self.sink = sink
        self.batches = tuple(batches)
        self.facts = sum(map(len, self.batches))
        self.sent = 0
        self.due: Places = np.empty(0, dtype=np.int64)
        """When each fact is meant to leave, in the total order: microseconds since the epoch."""
        self._places = _places(self.batches)
        self._done = [0] * len(self.batches)

    def emit(self, upto: int) -> None:
        """Let the facts up to number `upto` of the total order go, as far as they have not gone yet."""
        if upto <= self.sent or not (self.gradual or upto == self.facts):
            return
        until = [int(np.searchsorted(places, upto)) for places in self._places]
        self._send(upto, self._done, until)
        self._done, self.sent = until, upto

    @property
    def counts(self) -> dict[str, int]:
        """How many facts of each stream have left."""
        return {batch.stream.name: done for batch, done in zip(self.batches, self._done, strict=True)}

    def _send(self, upto: int, first: Sequence[int], last: Sequence[int]) -> None:
        """Send rows first[i]:last[i] of every batch i; with them all up to number `upto` of the order have left."""
        for batch in self.batches:
            self.sink._write(batch)


def _places(batches: Sequence[Batch]) -> list[Places]:
    """Where the facts of each batch stand in the total order."""
    from sinks.merge import order

    place = np.empty(sum(map(len, batches)), dtype=np.int64)
    place[order(batches) if batches else []] = np.arange(len(place))
    cuts = np.cumsum([len(batch) for batch in batches])
    return np.split(place, cuts[:-1]) if batches else []
