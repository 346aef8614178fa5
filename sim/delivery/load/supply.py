"""The facts of a load test: those of a simulation, and of it over again where they do not suffice.

Trials that follow each other go on where the one before has stopped: no fact is sent twice, and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch import Batch, Stream
from sim.delivery.replay.clock import moved
from sim.delivery.replay.rekeying import MOST, Rekeying
from sim.delivery.seam import cut
from sim.delivery.windows import Window, windows
from sim.errors import SimulationError

Lap = Callable[[int], Iterable[Batch]]


def laps(lap: Lap, start: int, end: int) -> Iterator[Batch]:
    """The batches of `lap(0)`, then those of `lap(1)` later by the run's length, and so on without end.

    All laps but the first have ids and keys of their own: those of whole numbers are raised by so many powers of ten
    that nobody had them before. `start` and `end` are microseconds. Raises SimulationError where a lap has no facts.
    """
    largest, number, rekeying = 0, 0, Rekeying.above(0, ())
    while True:
        facts = 0
        for batch in lap(number):
            facts += len(batch)
            if not number:
                largest = max(largest, _largest(batch))
            yield batch if not number else _later(batch, rekeying, number, number * (end - start))
        if not facts:
            raise SimulationError("the scenario gives no facts, so there is nothing to load anything with")
        if not number:
            rekeying = Rekeying.above(largest, ())
        number += 1
        if number >= MOST // rekeying.offset:
            raise SimulationError(f"after {number:,} laps there are no further ids")


def _ids(batch: Batch) -> list[int]:
    """The columns with ids and keys: by their role, or, as everywhere in datagen's own facts, by their names."""
    own = {batch.stream.id, batch.stream.key}
    return [
        place
        for place, field in enumerate(batch.data.schema)
        if pa.types.is_integer(field.type) and (field.name in own or field.name.endswith("_id"))
    ]


def _largest(batch: Batch) -> int:
    return max((pc.max(batch.data.column(place)).as_py() or 0 for place in _ids(batch)), default=0)


def _later(batch: Batch, rekeying: Rekeying, number: int, shift: int) -> Batch:
    ids, columns = set(_ids(batch)), []
    for place, (field, column) in enumerate(zip(batch.data.schema, batch.data.columns, strict=True)):
        changed = rekeying.copy(column, number) if place in ids else moved(column, shift, None)
        columns.append(changed.cast(field.type))
    data = pa.RecordBatch.from_arrays(columns, schema=batch.data.schema)
    return Batch(batch.stream, data, batch.start + shift, batch.until + shift)


class Supply:
    """Windows of facts for one trial after the other."""

    def __init__(self, batches: Iterable[Batch], streams: tuple[Stream, ...]) -> None:
        self.streams = streams
        self._source = windows(batches, len(streams))
        self._kept: list[Window] = []
        self._given: list[Window] = []

    def take(self, facts: int) -> Iterator[Batch]:
        """The batches of the next facts, so many, and those at the same instant as the last of them."""
        left = facts
        while left > 0 and (window := self._next()) is not None:
            early, late = _head(window, left)
            if late is not None:
                self._kept.insert(0, late)
            left -= early.facts
            self._given.append(early)
            yield from early.batches

    def give_back(self, sent: Mapping[str, int], watermark: int | None) -> None:
        """Of what was taken since the last time, so many facts of each stream are through, all before `watermark`."""
        left, rest = dict(sent), []
        for window in self._given:
            gone = [min(left.get(batch.stream.name, 0), len(batch)) for batch in window.batches]
            for batch, count in zip(window.batches, gone, strict=True):
                left[batch.stream.name] = left.get(batch.stream.name, 0) - count
            if watermark is None or window.until > watermark:
                rest.append(_without(window, gone, window.start if watermark is None else watermark))
        self._kept[:0] = rest
        self._given.clear()

    def _next(self) -> Window | None:
        return self._kept.pop(0) if self._kept else next(self._source, None)


def _without(window: Window, gone: Sequence[int], since: int) -> Window:
    """What is left of a window whose first rows are gone, with a batch for every stream."""
    start = max(since, window.start)
    batches = zip(window.batches, gone, strict=True)
    return Window(tuple(b.part(n, len(b), start, window.until) for b, n in batches), start, window.until)


def _head(window: Window, facts: int) -> tuple[Window, Window | None]:
    """The first facts of a window, so many and those at the same instant, and the rest."""
    if window.facts <= facts:
        return window, None
    times = np.concatenate(window.times)
    at = int(np.partition(times, facts - 1)[facts - 1]) + 1
    return (window, None) if at >= window.until else cut(window, at)
