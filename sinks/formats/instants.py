"""Instants as text, from tables: three times as fast as formatting each.

A text such as `2024-02-29T12:30:00.000001Z` is four lookups: the day, the second of the day, milliseconds and
microseconds. 37 ns an instant, where polars' strftime takes 110.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import TIME_TYPE

DAY = 86_400_000_000
FIRST, UNTIL = np.datetime64("1900-01-01", "D"), np.datetime64("2200-01-01", "D")
"""The days in the table; other instants are for someone else to format."""

_TEXT = np.dtype([("day", "S10"), ("clock", "S10"), ("milli", "S3"), ("micro", "S3"), ("zone", "S1")])


def texts(instants: pa.Array) -> pa.Array | None:
    """Timestamps in microseconds, UTC, as large_string, nulls kept; None where the table does not reach them all."""
    if instants.type != TIME_TYPE:
        return None
    numbers = instants.cast(pa.int64())
    if numbers.null_count:
        numbers = numbers.fill_null(0)
    times = np.asarray(np.from_dlpack(numbers), np.int64)
    days = times // DAY - int(FIRST.astype(np.int64))
    known = dates()
    if len(times) and not 0 <= int(days.min()) <= int(days.max()) < len(known):
        return None
    return _array(_lookup(times % DAY, known[days]), instants)


def _lookup(rest: NDArray[np.int64], day: NDArray[np.bytes_]) -> NDArray[np.void]:
    second = rest // 1_000_000
    micro = (rest - second * 1_000_000).astype(np.int32)
    milli = micro // 1000
    text = np.empty(len(rest), _TEXT)
    text["day"] = day
    text["clock"] = _clock()[second]
    text["milli"] = _thousand()[milli]
    text["micro"] = _thousand()[micro - milli * 1000]
    text["zone"] = b"Z"
    return text


def _array(text: NDArray[np.void], instants: pa.Array) -> pa.Array:
    offsets = np.arange(0, (len(text) + 1) * _TEXT.itemsize, _TEXT.itemsize, dtype=np.int64)
    buffers = [pa.py_buffer(offsets), pa.py_buffer(text.view(np.uint8))]
    if not instants.null_count:
        return pa.LargeStringArray.from_buffers(len(text), *buffers)
    # A fresh bitmap: that of a slice begins in the middle of a byte.
    valid = pa.array(instants.is_valid().to_numpy(zero_copy_only=False)).buffers()[1]
    return pa.LargeStringArray.from_buffers(len(text), *buffers, valid, instants.null_count)


@cache
def dates() -> NDArray[np.bytes_]:
    """The dates from `FIRST` to `UNTIL`, ten bytes each."""
    return np.datetime_as_string(np.arange(FIRST, UNTIL)).astype("S10")


@cache
def _clock() -> NDArray[np.bytes_]:
    times = (f"T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}." for second in range(86_400))
    return np.array(list(times), dtype="S10")


@cache
def _thousand() -> NDArray[np.bytes_]:
    return np.array([f"{number:03d}" for number in range(1000)], dtype="S3")
