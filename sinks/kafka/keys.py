"""Keys of messages: the entity's id, as text or in a format."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sim.batch import Stream
from sinks.formats import Format
from sinks.formats.columns import octets


class Keys:
    """The keys of one stream's messages, as text or, given a format of `key_stream`, as records of one field."""

    def __init__(self, stream: Stream, form: Format | None = None) -> None:
        self._column = stream.key
        self.format = form
        self.are_numbers = form is None and stream.schema.field(stream.key).type == pa.int64()

    def of(self, data: pa.RecordBatch) -> list[bytes | None]:
        """The key of each fact; None for null, which in Kafka is no key at all."""
        if self.format is None:
            return octets(data, self._column)
        alone = data.select([self._column])
        valid = data.column(self._column).is_valid()
        if valid.true_count == len(valid):
            return [*self.format.encode(alone)]
        found = np.full(len(valid), None, object)
        found[valid.to_numpy(zero_copy_only=False)] = self.format.encode(alone.filter(valid))
        keys: list[bytes | None] = found.tolist()
        return keys


def key_stream(stream: Stream) -> Stream:
    """The stream whose facts are the keys of `stream`."""
    field = stream.schema.field(stream.key)
    return Stream("key", pa.schema([field]), stream.key, stream.key, stream.rank, f"key of {stream.name}")


def replaced(values: list[bytes | None], where: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[bytes | None]:
    """`values` with None where `where` is true."""
    array = np.empty(len(values), object)
    array[:] = values
    array[where] = None
    found: list[bytes | None] = array.tolist()
    return found
