"""The ledger: every injected fault, and beside it what is true, as an ideal pipeline would compute it.

Three tables, written by a sink of their own: `injections`, one row for each fault of each fact; `windows`, how many
facts of how many keys happened in each window of time; `sums`, what the numbers among their columns add up to. The last
two are about the facts of the simulation, before any fault.

What is in the ledger has been delivered: rows wait until the sink has committed the window in which their facts arrive.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Batch, Stream, event_times
from sim.delivery.faults import DROP, Injection, Ints
from sim.delivery.tallies import SUMS, WINDOWS, Tally
from sim.delivery.windows import Window
from sinks.contract import Sink
from sinks.run import Run

_WORD = pa.dictionary(pa.int32(), pa.string())


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


INJECTIONS = Stream(
    "injections",
    pa.schema(
        [
            _field(TIME, TIME_TYPE, "when the fact happened, and when it should have been handed over"),
            _field("stream", _WORD, "the stream of the fact"),
            _field("fact_id", pa.int64(), "the fact's id within its stream"),
            _field("key", pa.string(), "the fact's true key, as text"),
            _field("kind", _WORD, "drop, late, duplicate, stall, clock_skew, hot_key or corrupt"),
            _field("arrived_at", TIME_TYPE, "when it was handed over; null for what never was"),
            _field("detail", pa.string(), "microseconds by which a clock is ahead; another key; how it is corrupt"),
        ]
    ),
    "fact_id",
    "key",
    0,
    "every injected fault",
)

STREAMS = (INJECTIONS, WINDOWS, SUMS)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table, and from when on each of them counts (int64 microseconds)."""

    data: pa.RecordBatch
    at: Ints


class Ledger:
    """Writes the ledger of one run, or of one shard of it, to a sink of its own; a context manager.

    `span` is the length of the windows of the true aggregates in microseconds. One thread notes what is injected, and
    another may say what was committed.
    """

    def __init__(self, sink: Sink, streams: Sequence[Stream], run: Run, span: int) -> None:
        self.sink = sink
        self._run = run
        self._tallies = {stream.name: Tally(stream, span) for stream in streams}
        self._waiting: dict[str, list[_Rows]] = {stream.name: [] for stream in STREAMS}
        self._lock = threading.Lock()
        self._since = run.start

    def __enter__(self) -> Self:
        self.sink.open(STREAMS, self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was entered when the last window had been committed already, which is how a run without late facts ends.
        if error is None and self.sink.watermark is not None:
            self.commit(self._since)
        self.sink.close()

    def note(self, batch: Batch, injections: Sequence[Injection]) -> None:
        """Enter what was injected into a batch, whose data are the facts as they happened."""
        for injection in injections:
            self._enter(INJECTIONS, _rows(batch, injection), injection.at)

    def tally(self, window: Window) -> None:
        """Count the facts of a window as they happened."""
        for batch in window.batches:
            self._tell(self._tallies[batch.stream.name], batch)

    def finish(self, until: int) -> None:
        """The simulation is over at `until`: windows that have begun count as they are."""
        for tally in self._tallies.values():
            for stream, data in tally.close():
                self._enter(stream, data, np.full(len(data), until - 1, np.int64))

    def commit(self, watermark: int) -> None:
        """What was to arrive before `watermark` has been delivered."""
        with self._lock:
            if watermark < self._since:
                return
            for stream in STREAMS:
                self._write(stream, watermark)
            self.sink.commit(watermark)
            self._since = watermark

    def _tell(self, tally: Tally, batch: Batch) -> None:
        for stream, data in tally.add(batch):
            ends = data.column("window_end").cast(pa.int64()).to_numpy()
            self._enter(stream, data, ends - 1)

    def _enter(self, stream: Stream, data: pa.RecordBatch, at: Ints) -> None:
        if len(data):
            with self._lock:
                self._waiting[stream.name].append(_Rows(data, at))

    def _write(self, stream: Stream, watermark: int) -> None:
        rows, left = self._waiting[stream.name], []
        for part in rows:
            due = part.at < watermark
            if due.any():
                order = np.flatnonzero(due)[np.argsort(part.at[due], kind="stable")]
                data, at = part.data.take(pa.array(order)), np.maximum(part.at[order], self._since)
                self.sink.write(Batch(stream, data, self._since, watermark, at))
            if not due.all():
                rest = np.flatnonzero(~due)
                left.append(_Rows(part.data.take(pa.array(rest)), part.at[rest]))
        self._waiting[stream.name] = left


def _rows(batch: Batch, injection: Injection) -> pa.RecordBatch:
    stream, facts = batch.stream, batch.data.take(pa.array(injection.rows))
    arrived = pa.nulls(len(facts), TIME_TYPE) if injection.kind == DROP else pa.array(injection.at, TIME_TYPE)
    detail = pa.nulls(len(facts), pa.string()) if injection.detail is None else injection.detail
    columns = [
        pa.array(event_times(facts), TIME_TYPE),
        _constant(stream.name, len(facts)),
        facts.column(stream.id),
        _text(facts.column(stream.key)),
        _constant(injection.kind, len(facts)),
        arrived,
        detail,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=INJECTIONS.schema)


def _constant(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def _text(values: pa.Array) -> pa.Array:
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return plain.cast(pa.string())
