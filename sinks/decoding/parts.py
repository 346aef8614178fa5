"""What came of some messages: rows, and which messages they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Values = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of messages that have one schema; `places` are the numbers of those messages, int64[n], ascending."""

    data: pa.RecordBatch
    places: Ints

    def at(self, places: Ints) -> Part:
        """The same rows, of messages that are numbers `places` of a longer sequence."""
        return Part(self.data, places[self.places])

    def only(self, kept: NDArray[np.bool_]) -> Part:
        """The rows for which `kept`, bool[n], is true."""
        return self if kept.all() else Part(self.data.filter(pa.array(kept)), self.places[kept])


@dataclass(frozen=True, slots=True)
class Decoded:
    """The facts of some messages, in their order, and what the other messages are, each by its number, int64.

    `places` says which message each row of `data` comes from; `unreadable` are those that are no fact of the stream,
    `deleted` those without a value.
    """

    data: pa.RecordBatch
    places: Ints
    unreadable: Ints
    deleted: Ints


class Parser(ABC):
    """Messages of one schema, without framing, to columns."""

    @abstractmethod
    def parse(self, values: Values) -> Part:
        """The rows of the messages; those that cannot be read are left out."""


def salvaged(
    values: Values, bulk: Callable[[Values], pa.RecordBatch], broken: type[Exception], probe: Callable[[Values], object]
) -> Part:
    """What `bulk` makes of the values that can be read; `probe` raises `broken`, as `bulk` does, where one cannot."""
    try:
        return Part(bulk(values), np.arange(len(values)))
    except broken:
        places = np.array(_sound(values, 0, broken, probe), np.int64)
    return Part(bulk([values[place] for place in places.tolist()]), places)


def _sound(values: Values, first: int, broken: type[Exception], probe: Callable[[Values], object]) -> list[int]:
    """The places of values that can be read, `first` being the first one's.

    They are found by halving: parsers refuse all for the sake of one, and mostly there is none.
    """
    try:
        probe(values)
        return list(range(first, first + len(values)))
    except broken:
        half = len(values) // 2
    if len(values) <= 1:
        return []
    return [
        *_sound(values[:half], first, broken, probe),
        *_sound(values[half:], first + half, broken, probe),
    ]


def joined(parts: Sequence[Part], schema: pa.Schema) -> Part:
    """Parts of one schema as one, in the order of the messages."""
    if len(parts) == 1:
        return parts[0]
    data = pa.Table.from_batches([part.data for part in parts], schema).unify_dictionaries().combine_chunks()
    places = np.concatenate([np.empty(0, np.int64), *(part.places for part in parts)])
    whole = data.to_batches()[0] if len(data) else empty(schema)
    if (places[1:] > places[:-1]).all():
        return Part(whole, places)
    order = np.argsort(places, kind="stable")
    return Part(whole.take(pa.array(order)), places[order])


def empty(schema: pa.Schema) -> pa.RecordBatch:
    """No rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
