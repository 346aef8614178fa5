"""Facts to messages, in bulk: a value, a key, a timestamp and headers each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sim.batch import Batch, event_times
from sinks.damage import marked
from sinks.kafka.headers import Column, HeaderRows, Headers
from sinks.kafka.keys import Keys, texts
from sinks.kafka.partitions import Partitions
from sinks.kafka.values import Values

ANY = -1
"""The partition of messages for which the client is to choose one, by their keys."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages for one partition (or `ANY`) of a topic, in order; `timestamps` are milliseconds since the epoch.

    Values and keys are large_binary arrays, timestamps int64[n]; all are lists once they are `listed`. Keys may be an
    int64 array, too, whose numbers stand for their decimal texts. A value of None is a tombstone: the key has no value
    any more. `headers` are None where there are none at all. Each message is a fact, unless `starts` says where the
    messages of each fact begin, int64[facts + 1]. Only where `mourned` are there tombstones among them.
    """

    topic: str
    partition: int
    values: Column
    keys: Column
    timestamps: Sequence[int] | NDArray[np.int64]
    headers: HeaderRows | None = None
    starts: NDArray[np.int64] | None = None
    mourned: bool = False

    @property
    def bytes(self) -> int:
        """The size of the values."""
        if isinstance(self.values, list):
            # Making an array of a list loads pandas, where that is installed: 150 ms, at the cost of the first facts.
            return sum(map(len, filter(None, self.values)))
        values = column(self.values)
        if values.null_count or not len(values):
            return pc.sum(pc.binary_length(values)).as_py() or 0
        first, offsets = values.offset, np.frombuffer(values.buffers()[1], np.int64)
        return int(offsets[first + len(values)] - offsets[first])

    @property
    def graves(self) -> int:
        """How many are tombstones."""
        if not self.mourned:
            return 0
        return self.values.count(None) if isinstance(self.values, list) else int(column(self.values).null_count)

    @property
    def is_listed(self) -> bool:
        """Whether these are Python objects already."""
        return isinstance(self.values, list)

    def listed(self) -> Messages:
        """The same messages as Python objects, for a client that takes one at a time."""
        if self.is_listed:
            return self
        return self._each(_listed, np.asarray(self.timestamps).tolist())

    def columned(self) -> Messages:
        """The same messages as arrays, for a client that takes many at once."""
        if not self.is_listed:
            return self
        return self._each(column, np.array(self.timestamps, np.int64))

    def _each(self, change: Callable[[Column], Column], timestamps: Sequence[int] | NDArray[np.int64]) -> Messages:
        headers = None if self.headers is None else self.headers.each(change)
        columns = (change(self.values), change(self.keys), timestamps)
        return Messages(self.topic, self.partition, *columns, headers, self.starts, self.mourned)

    def rows(self, first: int, last: int) -> Messages:
        """The messages from number `first` on and before number `last`."""
        own = slice(first, last)
        headers = None if self.headers is None else self.headers.part(first, last)
        columns = (self.values[own], self.keys[own], self.timestamps[own])
        return Messages(self.topic, self.partition, *columns, headers, mourned=self.mourned)

    def part(self, first: int, last: int) -> Messages:
        """The messages of the facts from number `first` on and before number `last`."""
        if self.starts is None:
            return self.rows(first, last)
        return self.rows(int(self.starts[first]), int(self.starts[last]))


def column(values: Column) -> Any:
    """Byte strings, or the texts of numbers, as a large_binary array."""
    if not isinstance(values, pa.Array):
        return pa.array(values, pa.large_binary())
    return texts(values) if pa.types.is_integer(values.type) else values


def _listed(values: Column) -> Column:
    found: list[bytes | None] = column(values).to_pylist()
    return found


class Encoder:
    """Makes the messages of one stream: the fact in its envelope, written in a format, under its key.

    Where the topic's partitions are known and keys are whole numbers as text, the messages of a batch come grouped by
    partition, each group in the order of the batch, which is all the order that Kafka keeps.
    """

    def __init__(
        self,
        topic: str,
        values: Values,
        keys: Keys,
        headers: Headers | None = None,
        partitions: Partitions | None = None,
        deleted: str | None = None,
    ) -> None:
        self.topic = topic
        self._envelope = values.envelope
        self._key = self._envelope.facts.key
        self._values = values
        self._keys = keys
        self._headers = headers or Headers({})
        self._deleted = deleted
        self._partitions = partitions if keys.are_numbers else None

    def encode(self, batch: Batch, grouped: bool = True) -> list[Messages]:
        """The messages of a batch; not grouped where whoever hands them over does that."""
        data, starts = self._buried(marked(batch))
        if self._partitions is None or not grouped or data.column(self._key).null_count:
            return [self._messages(data, starts)]
        return list(self._grouped(data, starts, self._partitions))

    def in_order(self, data: pa.RecordBatch, due: NDArray[np.int64] | None = None) -> Messages:
        """The messages of facts in their own order, whatever the partition.

        `due` are the instants at which they are meant to leave, microseconds of the wall clock, int64[n].
        """
        doubled, starts = self._buried(data)
        if due is not None and starts is not None:
            due = np.repeat(due, np.diff(starts))
        return self._messages(doubled, starts, due)

    def _buried(self, data: pa.RecordBatch) -> tuple[pa.RecordBatch, NDArray[np.int64] | None]:
        """The facts with each deletion twice, and where each fact begins among those rows."""
        deleted = self._envelope.deleted(data)
        if deleted is None:
            return data, None
        counts = 1 + deleted.astype(np.int64)
        order = np.repeat(np.arange(len(deleted)), counts)
        return data.take(pa.array(order)), np.concatenate([[0], np.cumsum(counts)])

    def _grouped(
        self, data: pa.RecordBatch, starts: NDArray[np.int64] | None, partitions: Partitions
    ) -> Iterator[Messages]:
        ids = data.column(self._key).to_numpy(zero_copy_only=False)
        found = partitions.of(ids)
        # Stable, hence in order within each partition; sorting 16-bit numbers takes 5 ns each.
        order = np.argsort(found, kind="stable")
        whole = self._messages(data.take(pa.array(order)), _moved(starts, order))
        until = np.cumsum(np.bincount(found)).tolist()
        for number, (first, last) in enumerate(pairwise([0, *until])):
            if first < last:
                yield replace(whole.rows(first, last), partition=number)

    def _messages(
        self, data: pa.RecordBatch, starts: NDArray[np.int64] | None, due: NDArray[np.int64] | None = None
    ) -> Messages:
        timestamps = event_times(data) // 1000
        values = self._values.of(data)
        if starts is not None:
            graves = np.ones(len(values), np.bool_)
            graves[starts[:-1]] = False
            values = pc.if_else(pa.array(graves), None, values)
        if self._deleted is not None:
            values = pc.if_else(data.column(self._deleted).fill_null(False), None, values)
        columns = (values, self._keys.handed(data), timestamps, self._headers.of(data, due))
        return Messages(self.topic, ANY, *columns, starts, mourned=starts is not None)


def _moved(starts: NDArray[np.int64] | None, order: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Where facts begin once their rows are put in another order, which keeps the rows of a fact together."""
    if starts is None:
        return None
    begins = np.zeros(len(order), np.bool_)
    begins[starts[:-1]] = True
    return np.append(np.flatnonzero(begins[order]), len(order))
