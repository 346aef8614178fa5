"""The contract between the simulation and whatever takes its facts.

A `Stream` says what the facts of one kind look like; a `Batch` is some of them. Times are microseconds since the
epoch, UTC, as int64; intervals are half-open, [start, until).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIME = "event_time"
"""The column of every stream that says when it happened: timestamp[us, UTC], not null, ascending within a batch."""

TIME_TYPE = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Stream:
    """All facts of one kind: what becomes a topic, a table or a set of files.

    `rank` is the stream's place in the total order (event_time, rank, id) of facts; `id` names the int64 column
    that is unique within the stream; `key` names the column whose equal values must stay in order (the entity's id).
    """

    name: str
    schema: pa.Schema
    id: str
    key: str
    rank: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Facts of one stream, sorted by (event_time, id), all of them in [start, until).

    The batches of one window share `start` and `until` and follow each other by rank; windows follow each other in
    time without gap or overlap. Once a window's batches are through, no fact before `until` will come: `until` is
    the watermark.
    """

    stream: Stream
    data: pa.RecordBatch
    start: int
    until: int

    def __len__(self) -> int:
        return int(self.data.num_rows)
