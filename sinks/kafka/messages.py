"""Facts to messages, in bulk: a value, a key, a timestamp and headers each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Batch
from sinks.envelopes import Envelope
from sinks.formats import Format
from sinks.kafka.headers import HeaderRows, Headers
from sinks.kafka.keys import Keys, replaced
from sinks.kafka.partitions import Partitions
from sinks.merge import event_times

ANY = -1
"""The partition of messages for which the client is to choose one, by their keys."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages for one partition (or `ANY`) of a topic, in order; `timestamps` are milliseconds since the epoch.

    A value of None is a tombstone: the key has no value any more. `headers` are None where there are none at all.
    """

    topic: str
    partition: int
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    timestamps: Sequence[int]
    headers: HeaderRows | None = None

    @property
    def bytes(self) -> int:
        """The size of the values."""
        return sum(map(len, filter(None, self.values)))

    def part(self, first: int, last: int, partition: int) -> Messages:
        """Those from `first` to `last`, for one partition."""
        own = slice(first, last)
        headers = None if self.headers is None else self.headers.part(first, last)
        return Messages(self.topic, partition, self.values[own], self.keys[own], self.timestamps[own], headers)


class Encoder:
    """Makes the messages of one stream: the fact in its envelope, written in a format, under its key.

    Where the topic's partitions are known and keys are whole numbers as text, the messages of a batch come grouped by
    partition, each group in the order of the batch, which is all the order that Kafka keeps. `graves` counts the
    tombstones, which are messages but no facts.
    """

    def __init__(
        self,
        topic: str,
        envelope: Envelope,
        form: Format,
        keys: Keys,
        headers: Headers | None = None,
        partitions: Partitions | None = None,
    ) -> None:
        self.topic = topic
        self.graves = 0
        self._key = envelope.facts.key
        self._envelope = envelope
        self._format = form
        self._keys = keys
        self._headers = headers or Headers({})
        self._partitions = partitions if keys.are_numbers else None

    def encode(self, batch: Batch) -> list[Messages]:
        """The messages of a batch."""
        data, graves = self._buried(batch.data)
        if self._partitions is None or data.column(self._key).null_count:
            return [self._messages(data, graves)]
        return list(self._grouped(data, graves, self._partitions))

    def _buried(self, data: pa.RecordBatch) -> tuple[pa.RecordBatch, NDArray[np.bool_] | None]:
        """The facts with each deletion twice, and which rows are those second ones."""
        deleted = self._envelope.deleted(data)
        if deleted is None:
            return data, None
        order = np.repeat(np.arange(len(deleted)), 1 + deleted)
        graves = np.concatenate([[False], np.diff(order) == 0])
        self.graves += int(graves.sum())
        return data.take(pa.array(order)), graves

    def _grouped(
        self, data: pa.RecordBatch, graves: NDArray[np.bool_] | None, partitions: Partitions
    ) -> Iterator[Messages]:
        ids = data.column(self._key).to_numpy(zero_copy_only=False)
        found = partitions.of(ids)
        # Stable, hence in order within each partition; sorting 16-bit numbers takes 5 ns each.
        order = np.argsort(found, kind="stable")
        whole = self._messages(data.take(pa.array(order)), None if graves is None else graves[order])
        until = np.cumsum(np.bincount(found)).tolist()
        for number, (first, last) in enumerate(pairwise([0, *until])):
            if first < last:
                yield whole.part(first, last, number)

    def _messages(self, data: pa.RecordBatch, graves: NDArray[np.bool_] | None) -> Messages:
        timestamps: list[int] = (event_times(data) // 1000).tolist()
        values: Sequence[bytes | None] = self._format.encode(self._envelope.wrap(data))
        if graves is not None:
            values = replaced(list(values), graves)
        return Messages(self.topic, ANY, values, self._keys.of(data), timestamps, self._headers.of(data))
