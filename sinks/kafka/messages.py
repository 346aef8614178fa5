"""Facts to messages, in bulk: a value, a key and a timestamp each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from sim.batch import Batch, Stream
from sinks.formats import Format
from sinks.formats.columns import frame, plain
from sinks.kafka.partitions import Partitions
from sinks.merge import event_times

ANY = -1
"""The partition of messages for which the client is to choose one, by their keys."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages for one partition (or `ANY`) of a topic, in order; `timestamps` are milliseconds since the epoch."""

    topic: str
    partition: int
    values: Sequence[bytes]
    keys: Sequence[bytes | None]
    timestamps: Sequence[int]

    @property
    def bytes(self) -> int:
        """The size of the values."""
        return sum(map(len, self.values))

    def part(self, first: int, last: int) -> Messages:
        """Those from number `first` on and before number `last`."""
        rows = slice(first, last)
        return Messages(self.topic, self.partition, self.values[rows], self.keys[rows], self.timestamps[rows])


class Encoder:
    """Makes the messages of one stream: the value in `format`, the key as text, the event time as the timestamp.

    Where the topic's partitions are known and keys are whole numbers, the messages of a batch come grouped by
    partition, each group in the order of the batch, which is all the order that Kafka keeps.
    """

    def __init__(self, stream: Stream, topic: str, kind: type[Format], partitions: Partitions | None = None) -> None:
        self.topic = topic
        self._key = stream.key
        self._format = kind(stream)
        self._partitions = partitions if stream.schema.field(stream.key).type == pa.int64() else None

    def encode(self, batch: Batch) -> list[Messages]:
        """The messages of a batch."""
        if self._partitions is None or batch.data.column(self._key).null_count:
            return [self.in_order(batch.data)]
        return list(self._grouped(batch.data, self._partitions))

    def in_order(self, data: pa.RecordBatch) -> Messages:
        """The messages of facts in their own order, whatever the partition."""
        timestamps: list[int] = (event_times(data) // 1000).tolist()
        return Messages(self.topic, ANY, self._format.encode(data), keys(data, self._key), timestamps)

    def _grouped(self, data: pa.RecordBatch, partitions: Partitions) -> Iterator[Messages]:
        ids = data.column(self._key).to_numpy(zero_copy_only=False)
        found = partitions.of(ids)
        # Stable, hence in order within each partition; sorting 16-bit numbers takes 5 ns each.
        order = np.argsort(found, kind="stable")
        whole = self.in_order(data.take(pa.array(order)))
        until = np.cumsum(np.bincount(found)).tolist()
        for number, (first, last) in enumerate(pairwise([0, *until])):
            if first < last:
                yield replace(whole.part(first, last), partition=number)


def keys(data: pa.RecordBatch, column: str) -> list[bytes | None]:
    """The column's values as UTF-8 text, None for null: what consumers in any language read as the same key."""
    values = data.column(column)
    if pa.types.is_integer(values.type):
        return pl.Series(values).cast(pl.String).cast(pl.Binary).to_list()
    alone = frame(data.select([column]))
    text = plain(column, alone.schema[column]).cast(pl.String)
    return alone.select(text).to_series().cast(pl.Binary).to_list()
