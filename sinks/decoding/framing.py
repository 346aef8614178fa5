"""The wire format of schema registries: a zero and the number of a schema before each message.

Protobuf has more before the message: which one of the schema's messages it is, as a list of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sinks.decoding.parts import Ints

HEAD = 5
"""Bytes of a zero and a number."""


@dataclass(frozen=True, slots=True)
class Framed:
    """Messages with one schema: its number, which of its messages (Protobuf), their places and what they hold."""

    number: int
    path: tuple[int, ...]
    places: Ints
    values: Sequence[bytes]


def unframed(values: Sequence[bytes], nested: bool = False) -> list[Framed]:
    """Messages by schema, without those that do not begin as they should; `nested`: with Protobuf's list of numbers."""
    series = pl.Series(values, dtype=pl.Binary)
    sizes = series.bin.size().to_numpy()
    long = np.flatnonzero(sizes >= HEAD)
    heads = np.frombuffer(b"".join(series.gather(long).bin.slice(0, HEAD).to_list()), np.uint8).reshape(-1, HEAD)
    sound = heads[:, 0] == 0
    known, numbers = long[sound], heads[sound, 1:].copy().view(">u4").ravel()
    found: list[Framed] = []
    for number in np.unique(numbers).tolist():
        places = known[numbers == number]
        bodies = series.gather(places).bin.slice(HEAD)
        if not nested:
            found.append(Framed(number, (), places, bodies.to_list()))
            continue
        found += [Framed(number, path, places[own], inner) for path, own, inner in _by_path(bodies)]
    return found


def _by_path(bodies: pl.Series) -> Iterator[tuple[tuple[int, ...], Ints, list[bytes]]]:
    """Bodies by the list of numbers that they begin with, which is taken off."""
    left = np.arange(len(bodies))
    while len(left):
        rest = bodies.gather(left)
        path, size = _path(rest[0])
        # What begins with no such list has nothing in common with others but its first byte.
        same = rest.bin.starts_with(rest[0][: max(size, 1)]).to_numpy() | (rest.bin.size() == 0).to_numpy()
        if size:
            same &= (rest.bin.size() > 0).to_numpy()
            yield path, left[same], rest.filter(pl.Series(same)).bin.slice(size).to_list()
        left = left[~same]


def _path(body: bytes) -> tuple[tuple[int, ...], int]:
    """The numbers in front of a message, and how many bytes they take, 0 where they make no sense."""
    numbers = _numbers(body)
    try:
        count, size = next(numbers)
        path = []
        for _ in range(count):
            index, size = next(numbers)
            path.append(index)
    except StopIteration:
        return (), 0
    # A list of one zero is written as a zero alone.
    return tuple(path) or (0,), size if count >= 0 and all(index >= 0 for index in path) else 0


def _numbers(body: bytes) -> Iterator[tuple[int, int]]:
    """Zigzag numbers of variable length, each with the place after it."""
    value = shift = 0
    for place, byte in enumerate(body[:64], 1):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield (value >> 1) ^ -(value & 1), place
            value = shift = 0
