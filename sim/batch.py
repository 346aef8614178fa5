"""The contract between the simulation and whatever takes its facts.

A `Stream` says what the facts of one kind look like; a `Batch` is some of them. Times are microseconds since the
epoch, UTC, as int64; intervals are half-open, [start, until).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

TIME = "event_time"
"""The column of every stream that says when it happened: timestamp[us, UTC], not null, ascending within a batch."""

TIME_TYPE = pa.timestamp("us", tz="UTC")


ADDED, DROPPED = b"added", b"dropped"
"""Keys of a field's metadata: the instants, microseconds as text, from which on a column is there or no more."""

ALWAYS = (-(2**63), 2**63 - 1)


class Span(NamedTuple):
    """A column that is there only for facts in [start, until); in others it is null."""

    column: str
    start: int
    until: int


@dataclass(frozen=True, slots=True)
class Stream:
    """All facts of one kind: what becomes a topic, a table or a set of files.

    `rank` is the stream's place in the total order (event_time, rank, id) of facts; `id` names the int64 column
    that is unique within the stream; `key` names the column whose equal values must stay in order (the entity's id).
    `spans` are the columns that come or go at some instant, as the metadata of the schema's fields say.
    """

    name: str
    schema: pa.Schema
    id: str
    key: str
    rank: int = 0
    description: str = ""
    spans: tuple[Span, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", tuple(filter(None, map(_span, self.schema))))


def _span(column: pa.Field) -> Span | None:
    said = column.metadata or {}
    start, until = (int(said.get(key, bound)) for key, bound in zip((ADDED, DROPPED), ALWAYS, strict=True))
    return None if (start, until) == ALWAYS else Span(column.name, start, until)


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
