"""Keys of messages: the entity's id, as text or in a format."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch import Stream
from sinks.formats import Format
from sinks.formats.columns import binary, octets


class Keys:
    """The keys of one stream's messages, as text or, given a format of `key_stream`, as records of one field."""

    def __init__(self, stream: Stream, form: Format | None = None) -> None:
        self._column = stream.key
        self.format = form
        self.are_numbers = form is None and stream.schema.field(stream.key).type == pa.int64()

    def of(self, data: pa.RecordBatch) -> pa.Array:
        """The key of each fact, a large_binary array; null for null, which in Kafka is no key at all."""
        if self.format is None:
            return octets(data, self._column)
        alone = data.select([self._column])
        valid = data.column(self._column).is_valid()
        if valid.true_count == len(valid):
            return self.format.values(alone)
        places = np.cumsum(valid.to_numpy(zero_copy_only=False)) - 1
        return self.format.values(alone.filter(valid)).take(pc.if_else(valid, pa.array(places), None))

    def handed(self, data: pa.RecordBatch) -> pa.Array:
        """What stands for the keys in messages: the ids themselves, int64, where their texts are the keys.

        To write a number's text takes compiled code less time than to read it from memory.
        """
        return data.column(self._column) if self.are_numbers else self.of(data)


def texts(numbers: pa.Array) -> pa.Array:
    """The decimal text of each number, a large_binary array; null for null."""
    return binary(pl.Series(numbers).cast(pl.String))


def key_stream(stream: Stream) -> Stream:
    """The stream whose facts are the keys of `stream`."""
    field = stream.schema.field(stream.key)
    return Stream("key", pa.schema([field]), stream.key, stream.key, stream.rank, f"key of {stream.name}")
