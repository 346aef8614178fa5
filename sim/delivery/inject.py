"""Injection: windows of facts as they happened become batches of facts as they arrive.

What is late waits in a calendar until its window: memory is what arrives within the bound. After the last window comes
one more for what is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from sim.batch import Batch, Stream
from sim.delivery.faults import Codes, Injector, Ints
from sim.delivery.ledger import Ledger
from sim.delivery.windows import Window
from sim.scenario.faults import Faults


def inject(
    windows: Iterable[Window],
    streams: Sequence[Stream],
    faults: Mapping[str, Faults],
    seed: int | Mapping[str, int],
    ledger: Ledger | None = None,
    damages: Mapping[str, int] | None = None,
) -> Iterator[Batch]:
    """The batches of all windows, one a stream and window, with the faults of the streams that have any.

    `ledger` is told the facts as they are, and every injection. `damages` are the kinds of damage that the sink can do
    to messages, with their numbers; `seed` is one for all streams, or that of each stream with faults.
    """
    seeds = dict.fromkeys(faults, seed) if isinstance(seed, int) else seed
    injectors = {name: Injector(stream, faults[name], seeds[name], damages) for name, stream in _hit(streams, faults)}
    calendars = {stream.name: _Calendar(injectors.get(stream.name), ledger) for stream in streams}
    until: int | None = None
    for window in windows:
        if ledger is not None:
            ledger.tally(window)
        found = {batch.stream.name: batch for batch in window.batches}
        for stream in streams:
            batch = found.get(stream.name) or Batch(stream, _nothing(stream), window.start, window.until)
            yield calendars[stream.name].turn(batch)
        until = window.until
    if until is None:
        return
    if ledger is not None:
        ledger.finish(until)
    last = max(calendar.last for calendar in calendars.values())
    if last >= until:
        for stream in streams:
            yield calendars[stream.name].turn(Batch(stream, _nothing(stream), until, last + 1))


def _hit(streams: Sequence[Stream], faults: Mapping[str, Faults]) -> list[tuple[str, Stream]]:
    """The streams that have faults, by their names."""
    return [(stream.name, stream) for stream in streams if stream.name in faults]


class _Calendar:
    """The facts of one stream that have not arrived yet."""

    def __init__(self, injector: Injector | None, ledger: Ledger | None) -> None:
        self._injector = injector
        self._ledger = ledger
        self._damage: Codes = np.empty(0, np.uint8)
        self._waiting: list[pa.RecordBatch] = []
        self._due: Ints = np.empty(0, np.int64)
        self._happened: Ints = np.empty(0, np.int64)

    @property
    def last(self) -> int:
        """When the last fact that waits arrives; before all times where none does."""
        return int(self._due.max()) if len(self._due) else np.iinfo(np.int64).min

    def turn(self, batch: Batch) -> Batch:
        """Take the facts that happen in a window; what arrives in it, by (arrival, when it happened, id)."""
        if self._injector is None:
            return batch
        struck = self._injector.strike(batch)
        if self._ledger is not None:
            self._ledger.note(batch, struck.injections)
        rows = pa.Table.from_batches([*self._waiting, struck.data]).unify_dictionaries().combine_chunks()
        due = np.concatenate([self._due, struck.arrivals])
        happened = np.concatenate([self._happened, struck.happened])
        ready = np.flatnonzero(due < batch.until)
        damage = np.concatenate([self._damage, struck.damage])
        ids = rows.column(batch.stream.id).to_numpy()
        ready = ready[np.lexsort((ids[ready], happened[ready], due[ready]))]
        late = np.flatnonzero(due >= batch.until)
        self._waiting = [_take(rows, late)] if len(late) else []
        self._due, self._happened, self._damage = due[late], happened[late], damage[late]
        return Batch(batch.stream, _take(rows, ready), batch.start, batch.until, due[ready], damage[ready])


def _take(rows: pa.Table, places: Ints) -> pa.RecordBatch:
    taken = rows.take(pa.array(places)).combine_chunks().to_batches()
    return (
        taken[0]
        if taken
        else pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in rows.schema], schema=rows.schema)
    )


def _nothing(stream: Stream) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in stream.schema], schema=stream.schema)
