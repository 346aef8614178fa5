"""The contract between the simulation and whatever takes its facts.

A `Stream` says what the facts of one kind look like; a `Batch` is some of them. Times are microseconds since the
epoch, UTC, as int64; intervals are half-open, [start, until).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TIME = "event_time"
"""The column of every stream that says when it happened: timestamp[us, UTC], not null, ascending within a batch."""

TIME_TYPE = pa.timestamp("us", tz="UTC")


ADDED, DROPPED = b"added", b"dropped"
"""Keys of a field's metadata: the instants, microseconds as text, from which on a column is there or no more."""

BESIDE = b"beside"
"""Key of a field's metadata: the column is no part of a fact, but stands beside it in a message."""

HEADERS, DELETED = b"headers", b"deleted"
"""What it may be then: headers, as a list of structs of `name` and `value` (bytes); or, as a boolean, that the message
has no value, and says that its key has none any more.
"""

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

    Where faults are injected, facts come later than they happened: `arrivals` has the time at which each of them is
    handed over, int64 microseconds, ascending, and these times are in [start, until) and in order instead. Whoever
    orders facts goes by `times`, whoever tells when they happened by the column. `damage` says which messages are to be
    broken once they are written, and how (`sinks.damage`), uint8 [n]; sinks that write none may pass over it.
    """

    stream: Stream
    data: pa.RecordBatch
    start: int
    until: int
    arrivals: NDArray[np.int64] | None = field(default=None, compare=False)
    damage: NDArray[np.uint8] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return int(self.data.num_rows)

    @property
    def times(self) -> NDArray[np.int64]:
        """By what the facts are ordered, int64 microseconds [n], ascending: arrivals, or else event times."""
        return event_times(self.data) if self.arrivals is None else self.arrivals

    def part(self, first: int, last: int, start: int | None = None, until: int | None = None) -> Batch:
        """The rows from number `first` on and before number `last`, as facts of [start, until); without a copy."""
        arrivals = None if self.arrivals is None else self.arrivals[first:last]
        start, until = self.start if start is None else start, self.until if until is None else until
        damage = None if self.damage is None else self.damage[first:last]
        return Batch(self.stream, self.data.slice(first, last - first), start, until, arrivals, damage)


def event_times(data: pa.RecordBatch) -> NDArray[np.int64]:
    """The event times of a batch's data, int64 microseconds [n], without a copy."""
    times: NDArray[np.int64] = np.asarray(np.from_dlpack(data.column(TIME).cast(pa.int64())), np.int64)
    return times
