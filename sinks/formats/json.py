"""JSON: an object a fact, its members in the order of the columns.

Instants are ISO-8601, UTC, with six decimals; floats have the shortest text that reads back as the same number; NaN and
the infinities, which JSON lacks, become null, as nulls do. After many facts compiled code takes over from polars. The
bytes are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from sinks.formats import loading
from sinks.formats.columns import binary, frame, plain
from sinks.formats.format import NAMESPACE, Format, messages
from sinks.formats.json_objects import Written, taken_apart

if TYPE_CHECKING:
    from sim.batch import Stream


class Json(Format):
    """One JSON object a message, without a line end."""

    name = "json"
    content_type = "application/json"

    def __init__(self, stream: Stream, namespace: str = NAMESPACE) -> None:
        super().__init__(stream, namespace)
        self._objects = Objects()

    @classmethod
    def padding(cls, size: int) -> bytes:
        """White space."""
        return b" " * size

    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The message of each row of `data`, after the header, in order."""
        # 57 ns a message; pyarrow's to_pylist takes 70.
        found: list[bytes] = pl.Series(self.values(data), dtype=pl.Binary).to_list()
        return found

    def values(self, data: pa.RecordBatch) -> pa.Array:
        """The same messages as one large_binary array."""
        return self._objects.texts(data, self.header)


class Objects:
    """The JSON objects of one stream's facts, with the members `first`, the same in every object, before the others,
    and `tail` behind each object.
    """

    def __init__(self, first: Mapping[str, str] | None = None, tail: bytes = b"") -> None:
        self._first = first or {}
        self._tail = tail
        self._written: Written | None = None

    def texts(self, data: pa.RecordBatch, header: bytes = b"") -> pa.Array:
        """The object of each row, behind `header`: a large_binary array. To be called by one thread at a time."""
        kernel = loading.JSON.after(data.num_rows) if data.num_rows else None
        if kernel is None:
            found = objects(data, self._first)
            return messages(binary(found + self._tail.decode() if self._tail else found), header)
        shape, leaves = taken_apart(data)
        if self._written is None or not self._written.is_for(shape, header):
            self._written = Written(kernel, shape, objects, self._first, header, self._tail)
        return self._written.values(leaves)


def objects(data: pa.RecordBatch, first: Mapping[str, str] | None = None) -> pl.Series:
    """The JSON text of each row, with the members of `first`, the same in every row, before the others."""
    loaded = frame(data)
    constants = [pl.lit(text).alias(name) for name, text in (first or {}).items()]
    columns = [plain(name, dtype).alias(name) for name, dtype in loaded.schema.items()]
    # 170 ns for eight columns, 100 more for the instants.
    return loaded.select(pl.struct(*constants, *columns).struct.json_encode()).to_series()
