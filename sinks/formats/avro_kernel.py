"""The compiled loop that writes Avro records: from Arrow's columns to bytes, without the interpreter.

Importing this module compiles it, or loads what an earlier process has compiled. Columns are Arrow's; a row of
`COLUMN` words says where each is and what it holds. Texts that repeat are copied from a table in which they stand with
their lengths already; so a record costs a few instructions a byte.

All of it is in this one module, for what is kept on disk is compiled anew where this file has changed, whatever others
have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinks.memory import bit, compiled, copy, copy_entry, copy_padded, half, inlined, leading_zeros, put, word

COLUMN = 6
"""Words about a column: what it holds; the addresses of its values, of their offsets or of the table that they point
into, and of its validity bits (0: all are valid); the number of its first row; and 1 where it is a union with null."""

BIG, SMALL, DOUBLE, SINGLE, FLAG, TEXT, LONG_TEXT, CELLS = range(8)
"""What a column can hold: numbers of 64 and 32 bits, fractions of both sizes, booleans, texts or bytes with offsets of
32 and 64 bits, and places (int32) in a table of whole cells, the address of whose offsets stands before its cells."""

CELL = (11, 6, 9, 5, 2, 11, 11, 0)
"""The most bytes that a cell takes, by what the column holds, beside the bytes of a text."""

SLACK = 16
"""Bytes behind the last record that may be written to: whole words are."""

_KEPT = (0x0FFFFFFF, 0x00FFFFFFF0000000, 0x00003FFF00003FFF, 0x0FFFC0000FFFC000)
_W28, _W56, _W14, _W42 = map(np.uint64, _KEPT)
_W7, _W35 = np.uint64(0x007F007F007F007F), np.uint64(0x3F803F803F803F80)
_MORE = np.uint64(0x8080808080808080)
_ONE, _FULL = np.uint64(1), np.uint64(2**56)


@inlined
def _number(at: int, value: np.int64) -> np.int64:
    """Write a `long`: zigzag, then seven bits a byte, the lowest first; the address behind it.

    The seven bits are moved to their bytes by halves, all at once, instead of byte by byte.
    """
    rest = np.uint64((value << 1) ^ (value >> 63))
    low = (rest & _W28) | ((rest & _W56) << np.uint64(4))
    low = (low & _W14) | ((low & _W42) << np.uint64(2))
    low = (low & _W7) | ((low & _W35) << _ONE)
    if rest < _FULL:
        spare = leading_zeros(low | _ONE) & 0x38
        # Every byte but the last says that there are more.
        put(at, low | (_MORE >> np.uint64(spare) >> np.uint64(8)))
        return np.int64(at + 8 - (spare >> 3))
    put(at, low | _MORE)
    high = rest >> np.uint64(56)
    is_long = high >> np.uint64(7)
    put(at + 8, (high & np.uint64(0x7F)) | (is_long << np.uint64(7)) | (is_long << np.uint64(8)))
    return np.int64(at + 9 + np.int64(is_long))


@inlined
def _text(at: int, source: int, length: int) -> np.int64:
    return np.int64(copy(_number(at, np.int64(length)), source, length))


@inlined
def _cell(at: int, kind: int, content: int, others: int, row: int) -> np.int64:
    """Write one value that is there; the address behind it."""
    if kind == BIG:
        return np.int64(_number(at, np.int64(word(content + 8 * row))))
    if kind == DOUBLE:
        put(at, word(content + 8 * row))
        return np.int64(at + 8)
    if kind == SMALL:
        return np.int64(_number(at, np.int64(np.int32(half(content + 4 * row)))))
    if kind == SINGLE:
        put(at, np.uint64(half(content + 4 * row)))
        return np.int64(at + 4)
    if kind == FLAG:
        put(at, np.uint64(bit(content, row)))
        return np.int64(at + 1)
    if kind == TEXT:
        begin = np.int64(np.int32(half(others + 4 * row)))
        return np.int64(_text(at, content + begin, np.int64(np.int32(half(others + 4 * row + 4))) - begin))
    begin = np.int64(word(others + 8 * row))
    return np.int64(_text(at, content + begin, np.int64(word(others + 8 * row + 8)) - begin))


@compiled("int64(int64[:, ::1], uint8[::1], int64, int64[::1])")
def write(columns: NDArray[np.int64], header: NDArray[np.uint8], target: int, offsets: NDArray[np.int64]) -> np.int64:
    """Write n records of `columns`, int64[c, 6], at the address `target`, each behind `header`; their bytes.

    `offsets`, int64[n + 1], is filled: where each record begins, and where the last one ends. Behind `header` another
    eight bytes can be read, which are not written.
    """
    at, before = target, len(header) - 8
    source = np.int64(header.ctypes.data)
    for row in range(len(offsets) - 1):
        offsets[row] = at - target
        at = copy_padded(at, source, before)
        for number in range(len(columns)):
            kind, content, others = columns[number, 0], columns[number, 1], columns[number, 2]
            bits, place, union = columns[number, 3], columns[number, 4] + row, columns[number, 5]
            if bits and not bit(bits, place):
                put(at, np.uint64(0))
                at += 1
            elif kind == CELLS:
                at = copy_entry(at, content, others, place)
            else:
                put(at, np.uint64(2))
                at = _cell(at + union, kind, content, others, place)
    offsets[len(offsets) - 1] = at - target
    return np.int64(at - target)
