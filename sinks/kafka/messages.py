"""Facts to messages, in bulk: a value, a key and a timestamp each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from sim.batch import Batch, Stream
from sinks.formats import Format
from sinks.formats.columns import frame, plain
from sinks.merge import event_times


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages for one topic, in order; `timestamps` are milliseconds since the epoch, `bytes` is the values' size."""

    topic: str
    values: Sequence[bytes]
    keys: Sequence[bytes | None]
    timestamps: Sequence[int]
    bytes: int


class Encoder:
    """Makes the messages of one stream: the value in `format`, the key as text, the event time as the timestamp."""

    def __init__(self, stream: Stream, topic: str, kind: type[Format]) -> None:
        self.topic = topic
        self._key = stream.key
        self._format = kind(stream)

    def encode(self, batch: Batch) -> Messages:
        """The messages of a batch, in its order."""
        values = self._format.encode(batch.data)
        timestamps: list[int] = (event_times(batch.data) // 1000).tolist()
        return Messages(self.topic, values, keys(batch.data, self._key), timestamps, sum(map(len, values)))


def keys(data: pa.RecordBatch, column: str) -> list[bytes | None]:
    """The column's values as UTF-8 text, None for null: what consumers in any language read as the same key."""
    values = data.column(column)
    if pa.types.is_integer(values.type):
        return pl.Series(values).cast(pl.String).cast(pl.Binary).to_list()
    alone = frame(data.select([column]))
    text = plain(column, alone.schema[column]).cast(pl.String)
    return alone.select(text).to_series().cast(pl.Binary).to_list()
