"""Avro records by compiled code: says where Arrow has the columns, and has all records written in one go.

Records of single values go this way: numbers, instants, booleans, text and bytes. Text that repeats is written once,
with its length before it, and then copied for every fact that has it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SHORT = 64
"""The most bytes of a text that repeats for which every record gets room; one that is longer is measured instead."""

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


class Column(NamedTuple):
    """A column for the kernel: its words, the most bytes of its cells, and what must outlive the use of both."""

    words: tuple[int, ...]
    room: int
    kept: object


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
    """One field of the records; it remembers the texts of the last dictionary, for most batches share one."""

    def __init__(self, kernel: ModuleType, field: pa.Field) -> None:
        self._kernel = kernel
        self._kind: pa.DataType = field.type
        self._union: bool = field.nullable
        self._known: tuple[pa.Array, Column] | None = None

    def column(self, values: pa.Array) -> Column | None:
        """Values for the kernel; None where some are missing and must not be."""
        texts = values.dictionary if self._has_few_texts(values) else None
        missing = values.null_count + (0 if texts is None else texts.null_count)
        if missing and not self._union:
            return None
        return self._single(self._direct(values)) if texts is None else self._repeating(values, texts)

    def _has_few_texts(self, values: pa.Array) -> bool:
        if not pa.types.is_dictionary(values.type) or len(values.dictionary) > len(values):
            return False
        return self._kind in _LONG and values.type.value_type in _KINDS and _longest(values.dictionary) <= SHORT

    def _direct(self, values: pa.Array) -> pa.Array:
        """The same values in a type that the kernel reads."""
        if values.type in (self._kind, _LONG.get(self._kind)):
            return values
        return values.cast(self._kind, safe=False)

    def _single(self, values: pa.Array) -> Column:
        kernel, (_, *own) = self._kernel, values.buffers()
        kind = getattr(kernel, _KINDS[values.type])
        length, others = 0, 0
        if len(own) > 1 and len(values):
            length, others = _length(values), own[0].address
        words = (kind, _address(own[-1]), others, _valid(values), values.offset, int(self._union))
        return Column(words, len(values) * kernel.CELL[kind] + length, values)

    def _repeating(self, values: pa.Array, texts: pa.Array) -> Column:
        places = values.indices if values.type.index_type == pa.int32() else values.indices.cast(pa.int32())
        table = self._cells(texts)
        words = (self._kernel.CELLS, _address(places.buffers()[1]), table.words[0], _valid(places), places.offset, 1)
        return Column(words, len(places) * table.room, (places, table))

    def _cells(self, texts: pa.Array) -> Column:
        """Texts as whole cells, and the most bytes that one takes."""
        known = self._known
        if known is None or not _is_same(known[0], texts):
            cells = _written(self._kernel, [self._single(texts)], len(texts), b"")
            table = np.array([_address(cells.buffers()[2]), *_offsets(cells)], np.int64)
            column = Column((table.ctypes.data,), int(np.diff(table[1:]).max(initial=1)), (table, cells))
            # At once, for several threads may encode.
            known = self._known = texts, column
        return known[1]


def _written(kernel: ModuleType, columns: list[Column], rows: int, header: bytes) -> pa.Array:
    offsets = np.empty(rows + 1, np.int64)
    room = sum(column.room for column in columns) + rows * len(header) + kernel.SLACK
    # Arrow's own memory, which it uses again: new pages from the system would take a tenth of the time.
    target = pa.allocate_buffer(room)
    padded = np.frombuffer(bytearray(header + bytes(8)), np.uint8)
    size = kernel.write(np.array([column.words for column in columns], np.int64), padded, target.address, offsets)
    buffers = [None, pa.py_buffer(offsets), target.slice(0, size)]
    return pa.Array.from_buffers(pa.large_binary(), rows, buffers, null_count=0)


def _offsets(values: pa.Array) -> NDArray[Any]:
    """Where texts begin and end in their bytes, [n + 1]."""
    kind = np.int32 if values.type in _LONG else np.int64
    return np.frombuffer(values.buffers()[1], kind)[values.offset : values.offset + len(values) + 1]


def _length(texts: pa.Array) -> int:
    """The bytes of all texts, with those of missing ones."""
    bounds = _offsets(texts)
    return int(bounds[-1]) - int(bounds[0])


def _longest(texts: pa.Array) -> int:
    return int(np.diff(_offsets(texts)).max()) if len(texts) else 0


def _valid(values: pa.Array) -> int:
    return _address(values.buffers()[0]) if values.null_count else 0


def _address(buffer: pa.Buffer | None) -> int:
    return 0 if buffer is None else int(buffer.address)


def _is_same(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays are the same memory, which is quickly seen."""
    if one.type != other.type or (one.offset, len(one)) != (other.offset, len(other)):
        return False
    return [*map(_address, one.buffers())] == [*map(_address, other.buffers())]
