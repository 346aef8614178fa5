"""One ordered flow out of many workers: each sends its windows through its link, the parent merges them.

Windows of all shards have the same bounds, so merging is per window and per stream: concatenate, sort by (event_time,
id). Rows travel as Arrow IPC, one IPC stream per stream of facts, so that schemas and unchanged dictionaries cross
once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Batch, Stream, event_times
from sim.delivery.workers import Crew, Link
from sim.engine.resumable import Resumable, Shard
from sim.engine.snapshots import Snapshot, Snapshots
from sim.errors import SimulationError
from sinks.contract import Closed, Sink
from sinks.run import Report, Run
from sinks.target import Target

if TYPE_CHECKING:
    from sim.model.model import Model

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Header:
    """What a worker sends ahead of a window's rows: its bounds and, per rank with facts, that bytes follow."""

    start: int
    until: int
    present: tuple[int, ...]


class LinkSink(Sink):
    """The sink of a worker whose facts the parent delivers: every window goes through the link."""

    scheme = "link"
    guarantee = "handed to the parent process in order"
    interleaved = True

    def __init__(self, link: Link) -> None:
        super().__init__(Target("link:", "link"))
        self._link = link
        self._window: list[Batch] = []
        self._outlets: dict[int, _Outlet] = {}
        self._start = 0

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        self._outlets = {stream.rank: _Outlet(stream.schema) for stream in streams}
        self._start = run.start

    def _write(self, batch: Batch) -> None:
        self._window.append(batch)

    def _commit(self, watermark: int) -> None:
        try:
            self._link.send(Header(self._start, watermark, tuple(batch.stream.rank for batch in self._window)))
            for batch in self._window:
                self._link.send_bytes(self._outlets[batch.stream.rank].encode(batch.data))
        except BrokenPipeError as error:
            raise Closed from error
        self._window, self._start = [], watermark

    def _close(self, sound: bool) -> Report:
        return Report(self.committed, until=self.watermark)


class Merged(Resumable, Generic[Job]):
    """The facts of several workers in the total order, window by window; a context manager, at whose end they are gone.

    `start` gives a crew, not started yet, whose workers simulate the `shards` of the run from a window of that number
    on, and keep snapshots of their own. A process that goes on starts them where the latest of what is kept here says;
    each of them begins at the latest of its own before it. One that does not go on starts them at once (`early`).
    """

    def __init__(
        self,
        start: Callable[[int], Crew[Job]],
        shards: Sequence[Shard],
        model: Model,
        seed: int,
        shard: Shard,
        folder: Path | None,
        stop: threading.Event,
        *,
        early: bool,
    ) -> None:
        super().__init__(model, seed, shard, None if model.processes else folder, f"{len(shards)} workers")
        self._start = start
        self._shards = shards
        self._stop = stop
        self._early = early
        self._crew: Crew[Job] | None = None
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        if self._early:
            self._crew = self._ending.enter_context(self._start(0))
        return self

    def __exit__(self, *error: Any) -> None:
        self._ending.__exit__(*error)

    def _begin(self, begun: Snapshot | None) -> tuple[None, Iterator[Batch]]:
        if self._crew is None:
            self._crew = self._ending.enter_context(self._start(0 if begun is None else begun.windows))
        return None, merged(self._crew, self._model.streams, self._stop)

    def _all_snapshots(self) -> list[Snapshots]:
        theirs = [self._snapshots_of(shard) for shard in self._shards]
        return super()._all_snapshots() + [own for own in theirs if own is not None]


def merged(crew: Crew[Job], streams: Sequence[Stream], stop: threading.Event) -> Iterator[Batch]:
    """The batches of all workers of a started crew, merged window by window in the total order.

    Ends when the workers are done or `stop` is set. SimulationError where a worker died or the windows do not match; an
    error of a worker comes out as it is.
    """
    by_rank = sorted(streams, key=lambda stream: stream.rank)
    inlets = [{stream.rank: _Inlet() for stream in streams} for _ in range(len(crew))]
    while not stop.is_set() and (headers := _headers(crew, stop)):
        shards = [_rows(crew, i, header, inlets[i]) for i, header in enumerate(headers)]
        start, until = headers[0].start, headers[0].until
        for stream in by_rank:
            parts = [shard[stream.rank] for shard in shards if stream.rank in shard]
            yield Batch(stream, merge(parts, stream), start, until)


def merge(parts: Sequence[pa.RecordBatch], stream: Stream) -> pa.RecordBatch:
    """Batches of one stream, each sorted by (event_time, id), as one that is."""
    if not parts:
        return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in stream.schema], schema=stream.schema)
    if len(parts) == 1:
        return parts[0]
    table = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
    rows = table.to_batches()[0]
    times = np.concatenate([event_times(part) for part in parts])
    ids = np.asarray(np.from_dlpack(rows.column(stream.id)), np.int64)
    return rows.take(pa.array(ordered(times, ids)))


def ordered(times: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The permutation that sorts by (time, id).

    The times are a few sorted runs, which a stable sort merges quickly; ids matter only where times are equal, so only
    those rows are sorted by both: a lexsort of everything would take three times as long.
    """
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    same = np.flatnonzero(sorted_times[1:] == sorted_times[:-1])
    if len(same):
        ties = np.union1d(same, same + 1)
        rows = order[ties]
        order[ties] = rows[np.lexsort((ids[rows], times[rows]))]
    return order.astype(np.int64, copy=False)


def _headers(crew: Crew[Job], stop: threading.Event) -> list[Header]:
    """The next window's header of every worker; empty once all are done."""
    received: dict[int, object] = {}
    while len(received) < len(crew) and not stop.is_set():
        for worker in crew.ready([i for i in range(len(crew)) if i not in received]):
            received[worker] = crew.receive(worker)
    headers = [message for _, message in sorted(received.items()) if isinstance(message, Header)]
    if stop.is_set() or not headers:
        return []
    if len(headers) < len(crew) or len({(h.start, h.until) for h in headers}) > 1:
        raise SimulationError(
            f"the windows of the workers do not match: {sorted({(h.start, h.until) for h in headers})}"
        )
    return headers


def _rows(crew: Crew[Job], worker: int, header: Header, inlets: dict[int, _Inlet]) -> dict[int, pa.RecordBatch]:
    return {rank: inlets[rank].decode(crew.receive_bytes(worker)) for rank in header.present}


class _Outlet:
    """Encodes the batches of one stream as consecutive pieces of one IPC stream."""

    def __init__(self, schema: pa.Schema) -> None:
        self._pieces: list[bytes] = []
        self._writer = pa.ipc.new_stream(pa.PythonFile(self, "w"), schema)

    closed = False

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def encode(self, data: pa.RecordBatch) -> bytes:
        self._writer.write_batch(data)
        encoded = b"".join(self._pieces)
        self._pieces.clear()
        return encoded


class _Inlet:
    """The other end of an `_Outlet`."""

    closed = False

    def __init__(self) -> None:
        self._data = memoryview(b"")
        self._reader: pa.RecordBatchStreamReader | None = None

    def read(self, size: int) -> memoryview:
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        self._data = memoryview(encoded)
        if self._reader is None:
            self._reader = pa.ipc.open_stream(pa.PythonFile(self, "r"))
        return self._reader.read_next_batch()
