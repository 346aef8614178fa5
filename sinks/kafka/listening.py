"""Reading topics as they grow, to learn when records arrive that tell in a header when they were due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sim.errors import SinkError
from sinks.kafka.client import LOG
from sinks.kafka.headers import DUE
from sinks.kafka.records import for_consumers
from sinks.kafka.settings import Settings
from sinks.probe import Tell

AT_ONCE = 20_000
"""The most records that are taken from the client at once."""

WATCHED = 250
"""Of the records that are taken at once, about so many are looked at: reading headers costs more than all else."""

_WAIT = 0.05
_OURS = {
    "group.id": "datagen-load",
    "enable.auto.commit": "false",
    # What is not there yet may come into being when it is written to.
    "allow.auto.create.topics": "true",
    "fetch.wait.max.ms": "100",
    "fetch.queue.backoff.ms": "5",
}


@dataclass(frozen=True, slots=True)
class Listening:
    """Which topics are read, from their ends on; where `committed`, no records of open transactions."""

    settings: Settings
    url: str
    topics: tuple[str, ...]
    timeout: float
    committed: bool = False

    def listen(self, ready: Callable[[], None], tell: Tell, stop: threading.Event) -> None:
        """See `sinks.probe.Listener`. Raises SinkError with what Kafka says."""
        level = "read_committed" if self.committed else "read_uncommitted"
        values: dict[str, Any] = {**for_consumers(self.settings), **_OURS, "isolation.level": level}
        try:
            consumer = Consumer(values, logger=LOG)
        except KafkaException as error:
            raise self.settings.refused(error.args[0].str()) from None
        try:
            consumer.assign(self._ends(consumer))
            ready()
            while not stop.is_set():
                _take(consumer, tell)
        except KafkaException as error:
            raise SinkError(f"{self.url}: {self.settings.redact(error.args[0].str())}") from None
        finally:
            consumer.close()

    def _ends(self, consumer: Consumer) -> list[TopicPartition]:
        """Where each partition ends now. Raises SinkError for a topic that is not there."""
        found = []
        for topic in self.topics:
            known = consumer.list_topics(topic, timeout=self.timeout).topics[topic]
            if not known.partitions:
                raise SinkError(f"{self.url}: there is no topic {topic!r}")
            for number in known.partitions:
                place = TopicPartition(topic, number)
                place.offset = self._end(consumer, place)
                found.append(place)
        return found

    def _end(self, consumer: Consumer, place: TopicPartition) -> int:
        """Where a partition ends; one that was just created has no leader at first."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return int(consumer.get_watermark_offsets(place, timeout=self.timeout)[1])
            except KafkaException:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_WAIT)


def _take(consumer: Consumer, tell: Tell) -> None:
    """Wait for the first record, and take with it what else is there: waiting for more would count as latency."""
    first = consumer.poll(_WAIT)
    if first is None:
        return
    messages = [first, *consumer.consume(AT_ONCE, timeout=0)]
    arrived = time.time_ns() // 1000
    stride = -(-len(messages) // WATCHED)
    dues = filter(None, map(_due, messages[len(messages) % stride :: stride]))
    tell(np.fromiter(dues, np.int64), arrived, stride, len(messages))


def _due(message: Message) -> int | None:
    """When a record was due, in microseconds since the epoch; None where it does not say so."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    headers = message.headers() if error is None else None
    found = dict(headers or ()).get(DUE)
    return int(found) if found is not None and found.isdigit() else None
