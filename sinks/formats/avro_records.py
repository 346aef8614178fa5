"""Avro records by compiled code: says where Arrow has the columns, and has all records written in one go.

Records of single values go this way: numbers, instants, booleans, text and bytes. Text that repeats is written once,
with its length before it, and then copied for every fact that has it.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pyarrow as pa

from sinks.formats.buffers import Cells, Column, address, joined, length, places, repeats, validity

_KINDS = {
    pa.bool_(): "FLAG",
    pa.int32(): "SMALL",
    pa.date32(): "SMALL",
    pa.int64(): "BIG",
    pa.time64("us"): "BIG",
    pa.timestamp("us"): "BIG",
    pa.timestamp("us", "UTC"): "BIG",
    pa.duration("us"): "BIG",
    pa.float32(): "SINGLE",
    pa.float64(): "DOUBLE",
    pa.string(): "TEXT",
    pa.binary(): "TEXT",
    pa.large_string(): "LONG_TEXT",
    pa.large_binary(): "LONG_TEXT",
}
"""What the kernel calls the types that it reads."""

_LONG = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}


class Records:
    """Writes records whose fields are `columns`, all of normal types, by the compiled code of `kernel`."""

    def __init__(self, kernel: ModuleType, columns: pa.Schema) -> None:
        self._kernel = kernel
        self._fields = [_Field(kernel, field) for field in columns]

    def written(self, data: pa.RecordBatch, header: bytes) -> pa.Array | None:
        """The record of each row, each behind `header`: a large_binary array.

        None where a value is missing that records must have.
        """
        found = [field.column(values) for field, values in zip(self._fields, data.columns, strict=True)]
        columns = [column for column in found if column is not None]
        if len(columns) < len(found):
            return None
        return _written(self._kernel, columns, data.num_rows, header)


def is_single(columns: pa.Schema) -> bool:
    """Whether `columns`, of normal types, hold single values of types that compiled code knows."""
    return all(kind in _KINDS for kind in columns.types)


class _Field:
    """One field of the records."""

    def __init__(self, kernel: ModuleType, field: pa.Field) -> None:
        self._kernel = kernel
        self._kind: pa.DataType = field.type
        self._union: bool = field.nullable
        self._cells = Cells()

    def column(self, values: pa.Array) -> Column | None:
        """Values for the kernel; None where some are missing and must not be."""
        texts = values.dictionary if self._kind in _LONG and repeats(values) else None
        missing = values.null_count + (0 if texts is None else texts.null_count)
        if missing and not self._union:
            return None
        return self._single(self._direct(values)) if texts is None else self._repeating(values, texts)

    def _direct(self, values: pa.Array) -> pa.Array:
        """The same values in a type that the kernel reads."""
        if values.type in (self._kind, _LONG.get(self._kind)):
            return values
        return values.cast(self._kind, safe=False)

    def _single(self, values: pa.Array) -> Column:
        kernel, (_, *own) = self._kernel, values.buffers()
        kind = getattr(kernel, _KINDS[values.type])
        others, size = (address(own[0]), length(values)) if len(own) > 1 else (0, 0)
        words = (kind, address(own[-1]), others, validity(values), values.offset, int(self._union))
        return Column(words, len(values) * kernel.CELL[kind] + size, values)

    def _repeating(self, values: pa.Array, texts: pa.Array) -> Column:
        found = places(values)
        table = self._cells.find(texts)
        if table is None:
            table = self._cells.keep(texts, _written(self._kernel, [self._single(texts)], len(texts), b""))
        content = address(found.buffers()[1])
        words = (self._kernel.CELLS, content, table.words[0], validity(found), found.offset, 1)
        return Column(words, len(found) * table.room, (found, table))


def _written(kernel: ModuleType, columns: list[Column], rows: int, header: bytes) -> pa.Array:
    offsets = np.empty(rows + 1, np.int64)
    room = sum(column.room for column in columns) + rows * len(header) + kernel.SLACK
    # Arrow's own memory, which it uses again: new pages from the system would take a tenth of the time.
    target = pa.allocate_buffer(room)
    padded = np.frombuffer(bytearray(header + bytes(8)), np.uint8)
    size = kernel.write(np.array([column.words for column in columns], np.int64), padded, target.address, offsets)
    return joined(rows, offsets, target, size)
