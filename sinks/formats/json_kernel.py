"""The compiled loop that writes JSON objects: from Arrow's columns to text, without the interpreter.

Importing this module compiles it, or loads what an earlier process has compiled. Columns are Arrow's; a row of
`COLUMN` words says where each is, what it holds, and what stands before its values. What it cannot write as everybody
else would (a fraction with many decimals, a text with characters to be escaped, an instant of another age) it says,
and leaves to others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinks import digits
from sinks.formats.instants import DAY, FIRST, UNTIL
from sinks.memory import (
    bit,
    compiled,
    copy,
    copy_entry,
    copy_padded,
    half,
    inlined,
    leading_zeros,
    put,
    real,
    short,
    word,
)

COLUMN = 8
"""Words about a column: what it holds; the addresses of its values, of their offsets or of the table that they point
into, and of its validity bits (0: all are valid); the number of its first row; a detail, by what it holds; and the
address and the length of what stands before each value."""

NUMBER, DECIMAL, INSTANT, FLAG, TEXT, LONG_TEXT, READY, CELLS = range(8)
"""What a column can hold: numbers of 64 bits; fractions of so many decimals (the detail) at most; instants in
microseconds, beside a table of the dates from `FIRST` to `UNTIL`; booleans; texts with offsets of 32 and 64 bits; texts
with offsets of 64 bits that are JSON already, but for so many bytes (the detail) of each; and places (int32) in a table
of such, the address of whose bytes stands before their offsets."""

CELL = (20, 26, 29, 5, 4, 4, 4, 4)
"""The most bytes that a cell takes, by what the column holds, beside the bytes of a text."""

SLACK = 40
"""Bytes behind the last object that may be written to: whole words are."""

MOST_DECIMALS = 8
"""Of a fraction: those behind the point fit a word."""

_POWERS = np.array([10**number for number in range(MOST_DECIMALS + 1)])
_PLAIN = np.array([10 ** max(0, number - 5) for number in range(MOST_DECIMALS + 1)])
"""By decimals: from so many units of the last one on a fraction is at least 0.00001, and written without exponent."""

_LARGEST = 1e15
"""Below it, a number of units is exact, and a decimal of so many units the shortest that reads back the same."""

_FIRST = np.uint64(int(FIRST.astype(np.int64)) * DAY % 2**64)
_DAYS = np.uint64(int((UNTIL - FIRST).astype(np.int64)))
_DAY, _SECOND, _SIXTY, _TEN = map(np.uint64, (DAY, 1_000_000, 60, 10))
_SIGN = np.uint64(1 << 63)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_BLANKS, _QUOTES, _SLASHES = (np.uint64(0x0101010101010101 * code) for code in (0x20, 0x22, 0x5C))


def _spelled(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.encode(), "little"))


_NULL, _TRUE, _FALSE, _QUOTE, _POINT = map(_spelled, ("null", "true", "false", '"', "."))
_T, _COLONS = _spelled("\0\0T"), _spelled("00:00:00")
_BEHIND_POINT = _spelled(".000000Z")


@inlined
def _has_special(letters: np.uint64) -> bool:
    """Whether one of eight bytes is a control character, a quotation mark or a backslash.

    Each test is the classic one for a zero byte in a word, or one below a bound (Anderson, "Bit Twiddling Hacks").
    """
    quotes, slashes = letters ^ _QUOTES, letters ^ _SLASHES
    controls = (letters - _BLANKS) & ~letters
    found = controls | ((quotes - _ONES) & ~quotes) | ((slashes - _ONES) & ~slashes)
    return bool(found & _HIGHS)


@inlined
def _text(at: int, source: int, length: int) -> np.int64:
    """Write a text in quotation marks; the address behind it, -1 where characters of it have to be escaped."""
    put(at, _QUOTE)
    at += 1
    special = False
    if length >= 8:
        for place in range(0, length - 8, 8):
            letters = word(source + place)
            special |= _has_special(letters)
            put(at + place, letters)
        letters = word(source + length - 8)
        special |= _has_special(letters)
        put(at + length - 8, letters)
    elif length:
        letters = short(source, length)
        special = _has_special(letters | (_BLANKS << np.uint64(8 * length)))
        put(at, letters)
    put(at + length, _QUOTE)
    return np.int64(-1 if special else at + length + 1)


@inlined
def _decimal(at: int, source: int, decimals: int) -> np.int64:
    """Write a fraction; the address behind it, -1 where so many decimals do not make it."""
    size = np.abs(real(source))
    if not size < np.inf:
        put(at, _NULL)
        return np.int64(at + 4)
    power = _POWERS[decimals]
    units = np.rint(size * power)
    if units >= _LARGEST or units / power != size or 0 < units < _PLAIN[decimals]:
        return np.int64(-1)
    if word(source) & _SIGN:
        put(at, np.uint64(45))
        at += 1
    whole = np.int64(size)
    at += digits.write(at, whole)
    behind = digits.eight(np.uint64((np.int64(units) - whole * power) * _POWERS[MOST_DECIMALS - decimals]))
    put(at, _POINT)
    put(at + 1, behind | digits.TEXT)
    # Zeros at the end are left out, but for the first.
    return np.int64(at + 9 - (leading_zeros(behind | np.uint64(1)) >> 3))


@inlined
def _two(number: np.uint64) -> np.uint64:
    tens = number // _TEN
    return np.uint64(tens | ((number - tens * _TEN) << np.uint64(8)))


@inlined
def _instant(at: int, instant: np.uint64, dates: int) -> np.int64:
    """Write an instant; the address behind it, -1 where the table has no date for it."""
    since = np.uint64(instant - _FIRST)
    day = since // _DAY
    if day >= _DAYS:
        return np.int64(-1)
    rest = since - day * _DAY
    seconds = rest // _SECOND
    minutes = seconds // _SIXTY
    hours = minutes // _SIXTY
    date = dates + np.int64(day) * 10
    put(at, _QUOTE)
    put(at + 1, word(date))
    put(at + 9, np.uint64(half(date + 6) >> np.uint32(16)) | _T)
    minute, second = minutes - hours * _SIXTY, seconds - minutes * _SIXTY
    put(at + 12, _two(hours) | (_two(minute) << np.uint64(24)) | (_two(second) << np.uint64(48)) | _COLONS)
    put(at + 20, (digits.eight(rest - seconds * _SECOND) >> np.uint64(16) << np.uint64(8)) | _BEHIND_POINT)
    put(at + 28, _QUOTE)
    return np.int64(at + 29)


@inlined
def _cell(at: int, kind: int, content: int, others: int, row: int, detail: int) -> np.int64:
    """Write one value that is there; the address behind it, -1 where that is for others to write."""
    if kind == NUMBER:
        return np.int64(at + digits.write(at, np.int64(word(content + 8 * row))))
    if kind == DECIMAL:
        return np.int64(_decimal(at, content + 8 * row, detail))
    if kind == INSTANT:
        return np.int64(_instant(at, word(content + 8 * row), others))
    if kind == FLAG:
        is_true = bit(content, row)
        put(at, _TRUE if is_true else _FALSE)
        return np.int64(at + 5 - is_true)
    if kind == TEXT:
        begin = np.int64(np.int32(half(others + 4 * row)))
        return np.int64(_text(at, content + begin, np.int64(np.int32(half(others + 4 * row + 4))) - begin))
    begin = np.int64(word(others + 8 * row))
    end = np.int64(word(others + 8 * row + 8))
    if kind == LONG_TEXT:
        return np.int64(_text(at, content + begin, end - begin))
    return np.int64(copy(at, content + begin, end - begin - detail))


@compiled("int64(int64[:, ::1], uint64, int64, int64, int64[::1])")
def write(columns: NDArray[np.int64], end: np.uint64, ending: int, target: int, offsets: NDArray[np.int64]) -> np.int64:
    """Write n objects of `columns`, int64[c, 8], at the address `target`; their bytes.

    Where a column has a value that is for others to write, this is -1 for the first column, -2 for the second, and so
    on. `end` are the bytes behind the last value of each object, `ending` of them. `offsets`, int64[n + 1], is filled:
    where each object begins, and where the last one ends. Behind what stands before values another eight bytes can be
    read, which are not written.
    """
    at = target
    for row in range(len(offsets) - 1):
        offsets[row] = at - target
        for number in range(len(columns)):
            kind, content, others = columns[number, 0], columns[number, 1], columns[number, 2]
            bits, place, detail = columns[number, 3], columns[number, 4] + row, columns[number, 5]
            at = copy_padded(at, columns[number, 6], columns[number, 7])
            if bits and not bit(bits, place):
                put(at, _NULL)
                at += 4
            elif kind == CELLS:
                at = copy_entry(at, content, others, place)
            else:
                at = _cell(at, kind, content, others, place, detail)
                if at < 0:
                    return np.int64(-1 - number)
        put(at, end)
        at += ending
    offsets[len(offsets) - 1] = at - target
    return np.int64(at - target)
