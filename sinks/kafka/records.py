"""Reading topics: the records that they have when reading begins, partition by partition, in bulk."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, KafkaException, Message, TopicPartition
from numpy.typing import NDArray

from sim.errors import ParameterError, SinkError
from sinks.kafka.client import ABSENT, ANSWER, LOG, REFUSED
from sinks.kafka.headers import Pairs
from sinks.kafka.settings import DEFAULTS, Settings
from sinks.kafka.waiting import Patience, Waiting
from sinks.words import nearest

AT_ONCE = 50_000
"""Records that are taken from the client at once."""

SILENCE = 60.0
"""Seconds without a record after which reading is given up."""

_WAIT = _TRY = 0.5


@dataclass(frozen=True, slots=True)
class Extent:
    """The records of one partition with offsets in [first, end)."""

    topic: str
    partition: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Records:
    """Some records of a partition, in order of their offsets; `timestamps` are milliseconds since the epoch.

    These are times of arrival at the broker where `appended` says so, else what the producer has given. `headers` are
    empty where nobody has asked for them.
    """

    topic: str
    partition: int
    offsets: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Pairs | None] = ()
    appended: bool = False

    def head(self, count: int) -> Records:
        """The first so many."""
        return replace(
            self,
            offsets=self.offsets[:count],
            timestamps=self.timestamps[:count],
            keys=self.keys[:count],
            values=self.values[:count],
            headers=self.headers[:count],
        )


class Reader:
    """A consumer without a group, which leaves no trace; a context manager. Raises SinkError with what Kafka says."""

    def __init__(self, settings: Settings, url: str, timeout: float) -> None:
        self._settings, self._url, self._timeout = settings, url, timeout
        self._trouble = ""
        self._refused = False
        self._patience = Patience(Waiting(), timeout)
        ours = {"group.id": "datagen-replay", "enable.auto.commit": "false", "enable.partition.eof": "true"}
        values: dict[str, Any] = {**for_consumers(settings), **ours, "error_cb": self._on_error}
        try:
            self._consumer = Consumer(values, logger=LOG)
        except KafkaException as error:
            raise settings.refused(error.args[0].str()) from None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def extents(self, topics: Sequence[str], since: int | None = None, until: int | None = None) -> list[Extent]:
        """What there is to read: from the earliest record to the last of this moment, or the records with timestamps
        (microseconds) in [since, until). Waits for a broker. Raises ParameterError for a topic that is not there.
        """
        try:
            return self._patience.outlast(partial(self._extents, topics, since, until), self._passing)
        except KafkaException as error:
            raise self._broken(error) from None

    def read(self, extent: Extent, stop: threading.Event, headers: bool = False) -> Iterator[Records]:
        """The records of an extent, with their headers where these are wanted; ends early where `stop` is set."""
        if extent.first >= extent.end:
            return
        self._consumer.assign([TopicPartition(extent.topic, extent.partition, extent.first)])
        silent, at = 0.0, extent.first
        while not stop.is_set():
            # No more than there are: the client waits for as many as it is asked for.
            found = self._consumer.consume(min(AT_ONCE, extent.end - at), timeout=_WAIT)
            ended = any(self._is_end(message) for message in found[-1:])
            sound = found[:-1] if ended else found
            silent = 0.0 if found else silent + _WAIT
            if silent >= SILENCE:
                raise SinkError(f"{self._url}: {extent.topic}: no record has come for {SILENCE:g} s{self._because()}")
            if sound:
                records = _records(extent, sound, headers)
                yield records.head(int(np.searchsorted(records.offsets, extent.end)))
                at = int(records.offsets[-1]) + 1
            if ended or at >= extent.end:
                return

    def _extents(self, topics: Sequence[str], since: int | None, until: int | None) -> list[Extent]:
        known = self._consumer.list_topics(timeout=min(_TRY, self._timeout)).topics
        for topic in topics:
            if topic not in known:
                raise ParameterError(f"{self._url}: there is no topic {topic!r}{nearest(topic, known)}")
        places = [(topic, number) for topic in topics for number in sorted(known[topic].partitions)]
        return [self._extent(topic, number, since, until) for topic, number in places]

    def _passing(self, error: Exception) -> str:
        """Why it is worth asking again; nothing where a broker has said no, or nobody is believed."""
        if not isinstance(error, KafkaException) or error.args[0].code() not in ABSENT:
            return ""
        with suppress(KafkaException):
            self._consumer.poll(0)  # hears what else is in the way
        return "" if self._refused else self._settings.redact(self._trouble or error.args[0].str())

    def _is_end(self, message: Message) -> bool:
        """Whether it is the word that a partition ends here. Raises SinkError where it is an error."""
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise self._broken(KafkaException(error))
        return error is not None

    def _extent(self, topic: str, number: int, since: int | None, until: int | None) -> Extent:
        first, end = self._consumer.get_watermark_offsets(
            TopicPartition(topic, number), timeout=min(ANSWER, self._timeout)
        )
        if since is not None:
            first = max(first, self._offset(topic, number, since, end))
        if until is not None:
            end = min(end, self._offset(topic, number, until, end))
        return Extent(topic, number, first, max(first, end))

    def _offset(self, topic: str, number: int, instant: int, end: int) -> int:
        asked = [TopicPartition(topic, number, instant // 1000)]
        found = self._consumer.offsets_for_times(asked, timeout=min(ANSWER, self._timeout))[0].offset
        return end if found < 0 else int(found)

    def _broken(self, error: KafkaException) -> SinkError:
        with suppress(KafkaException):
            self._consumer.poll(0)  # hears what else was in the way
        return SinkError(f"{self._url}: {self._settings.redact(error.args[0].str())}{self._because()}")

    def _because(self) -> str:
        return f" ({self._settings.redact(self._trouble)})" if self._trouble else ""

    def _on_error(self, error: KafkaError) -> None:
        self._refused |= error.code() in REFUSED
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error.str()


def for_consumers(settings: Settings) -> dict[str, str]:
    """The settings without those of producers that nobody has given."""
    kept = ("bootstrap.servers", "client.id")
    return {
        name: value
        for name, value in settings.values.items()
        if name in kept or name in settings.places or name not in DEFAULTS
    }


def _records(extent: Extent, messages: list[Message], headers: bool) -> Records:
    # One pass in C for each of the columns: Python's own loop takes three times as long.
    offsets: NDArray[np.int64] = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
    stamps = np.array(list(map(Message.timestamp, messages)), dtype=np.int64)
    keys, values = list(map(Message.key, messages)), list(map(Message.value, messages))
    beside: list[Any] = list(map(Message.headers, messages)) if headers else []
    appended = bool((stamps[:, 0] == TIMESTAMP_LOG_APPEND_TIME).all())
    return Records(extent.topic, extent.partition, offsets, stamps[:, 1], keys, values, beside, appended)
