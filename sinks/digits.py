"""The decimal digits of whole numbers, for compiled code: eight at a time.

What is kept of compiled code on disk is compiled anew where the file of a function has changed, whatever others have: a
change here is one of the kernels that use it, too.
"""

from __future__ import annotations

import numpy as np

from sinks.memory import compiled, put, trailing_zeros

ROOM = 28
"""Bytes that `write` may write to: whole words are written."""

TEXT = np.uint64(int.from_bytes(b"0" * 8, "little"))
"""What makes a text of a word of eight digits."""

_E4, _E8, _E16 = np.uint64(10**4), np.uint64(10**8), np.uint64(10**16)


@compiled()
def eight(number: np.uint64) -> np.uint64:
    """The eight digits of a number below 10^8, a byte each, the first of them in the lowest byte.

    Halved three times, all parts of a word at once, as in Paul Khuong's "How to print integers really fast" (2017);
    the factors are reciprocals, rounded up.
    """
    halves = np.uint64(number // _E4 | (number % _E4) << np.uint64(32))
    upper = np.uint64((halves * np.uint64(10_486)) >> np.uint64(20)) & np.uint64(0x7F_0000_007F)
    pairs = upper | (halves - upper * np.uint64(100)) << np.uint64(16)
    tens = np.uint64((pairs * np.uint64(103)) >> np.uint64(10)) & np.uint64(0x0F_000F_000F_000F)
    return np.uint64(tens | (pairs - tens * np.uint64(10)) << np.uint64(8))


@compiled()
def _head(address: int, number: np.uint64) -> np.int64:
    """Write a number below 10^8 without zeros before it; how many digits it has."""
    digits = eight(number)
    # Whatever the number is, its last digit is one.
    zeros = trailing_zeros(digits | np.uint64(1 << 56)) >> 3
    put(address, (digits | TEXT) >> np.uint64(8 * zeros))
    return np.int64(8 - zeros)


@compiled()
def write(address: int, number: int) -> np.int64:
    """Write the decimal text of a number, of up to 20 bytes in 28 that may be written to; its length."""
    at, size = address, np.uint64(number)
    if number < 0:
        put(at, np.uint64(45))
        at, size = at + 1, np.uint64(0) - size
    if size < _E8:
        return np.int64(at - address + _head(at, size))
    if size < _E16:
        at += _head(at, size // _E8)
    else:
        at += _head(at, size // _E16)
        put(at, eight(size // _E8 % _E8) | TEXT)
        at += 8
    put(at, eight(size % _E8) | TEXT)
    return np.int64(at + 8 - address)
