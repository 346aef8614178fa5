"""The ledger: every injected fault, and beside it what is true, as an ideal pipeline would compute it.

Three tables, written by a sink of their own: `injections`, one row for each fault of each fact; `windows`, how many
facts of how many keys happened in each window of time; `sums`, what the numbers among their columns add up to. The last
two are about the facts of the simulation, before any fault.

What is in the ledger has been delivered: rows wait until the sink has committed the window in which their facts arrive.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import TIME, TIME_TYPE, Batch, Stream, event_times
from sim.delivery.faults import DROP, Injection, Ints
from sim.delivery.tallies import SUMS, WINDOWS, Tally
from sim.delivery.windows import Window
from sim.errors import ParameterError
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


_ROW = "ledger/"
"""What the names of tables begin with where rows are counted beside facts."""


def is_row(name: str) -> bool:
    """Whether rows of the ledger are counted under a name."""
    return name.startswith(_ROW)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table, and from when on each of them counts (int64 microseconds)."""

    data: pa.RecordBatch
    at: Ints

    def before(self, watermark: int) -> _Rows:
        """Those that count before `watermark`."""
        return self._where(self.at < watermark)

    def since(self, watermark: int) -> _Rows:
        """The others."""
        return self._where(self.at >= watermark)

    def _where(self, hit: NDArray[np.bool_]) -> _Rows:
        if hit.all():
            return self
        rows = self.data.filter(pa.array(hit)) if hit.any() else self.data.slice(0, 0)
        return _Rows(rows, self.at[hit])


class Ledger:
    """Writes the ledger of one run, or of one shard of it, to a sink of its own; a context manager.

    `span` is the length of the windows of the true aggregates in microseconds. One thread notes what is injected, and
    another may say what was committed. Rows are written in the order of when they count, and of when they were entered,
    however often it is said what was committed: so `resume` goes on with what an earlier process has written, whose
    rows are entered again and left out.
    """

    def __init__(self, sink: Sink, streams: Sequence[Stream], run: Run, span: int, resume: bool = False) -> None:
        self.sink = sink
        self.key = f"ledger with windows of {span} us"
        """What distinguishes it from other ledgers of the same facts."""
        self._run = replace(run, origin=self.key)
        self._resume = resume
        self._tallies = {stream.name: Tally(stream, span) for stream in streams}
        self._waiting: dict[str, list[_Rows]] = {stream.name: [] for stream in STREAMS}
        self._entered = {stream.name: 0 for stream in STREAMS}
        self._skipped: dict[str, int] = {}
        self._lock = threading.Lock()
        self._since = run.start

    def __enter__(self) -> Self:
        past = self.sink.last_run(self._run.scenario) if self._resume else None
        if past is not None and past.origin != self.key:
            raise ParameterError(f"{self.sink.target.url}: {past.origin} is there: give --ledger-window as before")
        self.sink.open(STREAMS, self._run, self._resume)
        self._skipped = dict(self.sink.resumed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was entered when the last window had been committed already, which is how a run without late facts ends.
        if error is None and self.sink.watermark is not None:
            self.commit(self._since)
        self.sink.close()

    @property
    def there(self) -> dict[str, int]:
        """The rows that an earlier process has written, by the names of `keep`."""
        return {_ROW + name: rows for name, rows in self.sink.resumed.items()}

    def keep(self, until: int) -> tuple[dict[str, int], Any]:
        """The rows before `until`, by table; and what has to be known to enter those that follow."""
        with self._lock:
            left = {name: [rows.since(until) for rows in parts] for name, parts in self._waiting.items()}
        rows = {name: count - sum(len(part.at) for part in left[name]) for name, count in self._entered.items()}
        return {_ROW + name: count for name, count in rows.items()}, (until, rows, left, self._tallies)

    def restore(self, state: Any) -> None:
        """Go on from what `keep` has given, if no more is in it than what an earlier process has written."""
        self._since, rows, self._waiting, self._tallies = state
        self._entered = {name: rows[name] + sum(len(part.at) for part in self._waiting[name]) for name in rows}
        self._skipped = {name: count - rows[name] for name, count in self.sink.resumed.items()}

    def settle(self, until: int) -> None:
        """See to it that a later process finds all that is committed, which is what counts before `until`.

        Not at the end of the run: whether the last windows of the aggregates are entered by then is a matter of chance.
        """
        if until < self._run.end:
            with self._lock:
                self.sink.settle()

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
                self._entered[stream.name] += len(data)

    def _write(self, stream: Stream, watermark: int) -> None:
        parts = self._waiting[stream.name]
        due = [part for part in (part.before(watermark) for part in parts) if len(part.at)]
        self._waiting[stream.name] = [part for part in (part.since(watermark) for part in parts) if len(part.at)]
        if not due:
            return
        at = np.concatenate([part.at for part in due])
        skipped = min(self._skipped.get(stream.name, 0), len(at))
        if skipped:
            self._skipped[stream.name] -= skipped
        order = np.argsort(at, kind="stable")[skipped:]
        table = pa.Table.from_batches([part.data for part in due]).unify_dictionaries()
        for data in table.take(pa.array(order)).combine_chunks().to_batches():
            self.sink.write(Batch(stream, data, self._since, watermark, np.maximum(at[order], self._since)))


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
