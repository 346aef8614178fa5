"""Facts without a simulation: two streams over a few windows, sharded by id, for the tests of delivery."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sinks.contract import Sink
from sinks.run import Report, Run
from sinks.target import Target

SCHEMA = pa.schema(
    [
        pa.field(TIME, TIME_TYPE, nullable=False),
        pa.field("id", pa.int64(), nullable=False),
        pa.field("entity_id", pa.int64(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
    ]
)
STREAMS = (Stream("order", SCHEMA, "id", "entity_id", 0), Stream("visit", SCHEMA, "id", "entity_id", 1))
SPAN = 1_000_000
RUN = Run("fake", "0" * 64, 1, 0, 10 * SPAN)


def fake_batches(windows: int = 4, rows: int = 50, shard: int = 1, shards: int = 1) -> Iterator[Batch]:
    """Windows of a second each; few distinct times, so that ties are common, within and across streams."""
    for number in range(windows):
        start = number * SPAN
        for stream in STREAMS:
            rng = np.random.default_rng([number, stream.rank])
            times = start + np.sort(rng.integers(0, 20, rows)) * (SPAN // 20)
            ids = rng.permutation(rows) + number * rows
            order = np.lexsort((ids, times))
            yield Batch(stream, _rows(times[order], ids[order], shard, shards), start, start + SPAN)


def _rows(times: np.ndarray, ids: np.ndarray, shard: int, shards: int) -> pa.RecordBatch:
    mine = ids % shards == shard - 1
    times, ids = times[mine], ids[mine]
    words = pa.array([f"shard{shard}", "even", "odd"])
    kind = pa.DictionaryArray.from_arrays(pa.array((1 + ids % 2).astype(np.int32)), words)
    columns = [pa.array(times).cast(TIME_TYPE), pa.array(ids), pa.array(ids % 7), kind]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


class Collector(Sink):
    """Keeps what it is given; fails at the commit that it is told to."""

    scheme = "collector"
    interleaved = True

    def __init__(self, fail_at: int | None = None, error: Exception | None = None) -> None:
        super().__init__(Target("collector:", "collector"))
        self.batches: list[Batch] = []
        self.watermarks: list[int] = []
        self.fail_at, self.error = fail_at, error

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        pass

    def _write(self, batch: Batch) -> None:
        self.batches.append(batch)

    def _commit(self, watermark: int) -> None:
        if self.error is not None and len(self.watermarks) == self.fail_at:
            raise self.error
        self.watermarks.append(watermark)

    def _close(self, sound: bool) -> Report:
        return Report(self.committed, bytes=10, until=self.watermark)

    def rows(self) -> list[tuple[int, int, int]]:
        """(event_time, rank, id) of all that was written, as it came, sorted only across the streams of a window."""
        return facts(self.batches)


def facts(batches: list[Batch]) -> list[tuple[int, int, int]]:
    """(event_time, rank, id) of every fact in the order of emission: windows follow each other, sorted inside."""
    rows = []
    for batch in batches:
        times = batch.data.column(TIME).cast(pa.int64()).to_pylist()
        ids = batch.data.column("id").to_pylist()
        rows += [(batch.start, t, batch.stream.rank, i) for t, i in zip(times, ids, strict=True)]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    return [row[1:] for row in sorted(rows)]
