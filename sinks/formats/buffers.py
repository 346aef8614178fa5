"""Arrow's arrays as compiled code sees them: where they lie in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SHORT = 64
"""The most bytes of a text that repeats for which every record gets room; one that is longer is measured instead."""

_LONG = (pa.large_string(), pa.large_binary())


class Column(NamedTuple):
    """A column for a kernel: its words, the most bytes of its cells, and what must outlive the use of both."""

    words: tuple[int, ...]
    room: int
    kept: object


def address(buffer: pa.Buffer | None) -> int:
    """Where a buffer begins; 0 where there is none."""
    return 0 if buffer is None else int(buffer.address)


def validity(values: pa.Array) -> int:
    """Where the bits lie that say which values are there; 0 where all of them are."""
    return address(values.buffers()[0]) if values.null_count else 0


def bounds(texts: pa.Array) -> NDArray[Any]:
    """Where texts begin and end in their bytes, int32 or int64[n + 1]."""
    kind = np.int64 if texts.type in _LONG else np.int32
    return np.frombuffer(texts.buffers()[1], kind)[texts.offset : texts.offset + len(texts) + 1]


def length(texts: pa.Array) -> int:
    """The bytes of all texts, with those of missing ones."""
    ends = bounds(texts) if len(texts) else (0, 0)
    return int(ends[-1]) - int(ends[0])


def longest(texts: pa.Array) -> int:
    """The bytes of the longest text."""
    return int(np.diff(bounds(texts)).max()) if len(texts) else 0


def repeats(values: pa.Array) -> bool:
    """Whether values are few texts, none of them long, which are worth writing once to copy them from there on."""
    if not pa.types.is_dictionary(values.type) or len(values.dictionary) > len(values):
        return False
    texts = values.dictionary
    is_text = pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)
    is_bytes = pa.types.is_binary(texts.type) or pa.types.is_large_binary(texts.type)
    return (is_text or is_bytes) and longest(texts) <= SHORT


def places(values: pa.Array) -> pa.Array:
    """Where in its dictionary each value stands: int32."""
    indices = values.indices
    return indices if indices.type == pa.int32() else indices.cast(pa.int32())


class Cells:
    """The cells of the texts of a dictionary, written beforehand: those of the last one, for most batches share one."""

    def __init__(self) -> None:
        self._known: tuple[pa.Array, Column] | None = None

    def find(self, texts: pa.Array) -> Column | None:
        """The table of these texts, where it is that of the last ones."""
        known = self._known
        return known[1] if known is not None and _is_same(known[0], texts) else None

    def keep(self, texts: pa.Array, cells: pa.Array) -> Column:
        """The table of `texts`, of which `cells` are the cells, large_binary with eight bytes to spare behind them."""
        table = np.array([address(cells.buffers()[2]), *bounds(cells)], np.int64)
        column = Column((table.ctypes.data,), int(np.diff(table[1:]).max(initial=1)), (table, cells))
        # At once, for several threads may encode.
        self._known = texts, column
        return column


def joined(rows: int, offsets: NDArray[np.int64], target: pa.Buffer, size: int) -> pa.Array:
    """What a kernel has written as a large_binary array: `rows` texts in the first `size` bytes of `target`."""
    return pa.Array.from_buffers(pa.large_binary(), rows, [None, pa.py_buffer(offsets), target.slice(0, size)], 0)


def _is_same(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays are the same memory, which is quickly seen."""
    if one.type != other.type or (one.offset, len(one)) != (other.offset, len(other)):
        return False
    return [*map(address, one.buffers())] == [*map(address, other.buffers())]
