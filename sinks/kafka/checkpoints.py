"""Checkpoints: how many facts of each stream are in the topics, in a compacted topic of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from sim.errors import SinkError
from sinks.kafka.client import ABSENT, ANSWER
from sinks.kafka.client import LOG as CLIENT_LOG
from sinks.kafka.messages import ANY, Messages
from sinks.kafka.settings import Settings
from sinks.manifest import difference, identity, past, remembered
from sinks.run import Past, Run

TOPIC = "datagen.checkpoints"
KIND = "kafka"

COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
_OF_PRODUCERS = (
    "enable.idempotence",
    "linger.ms",
    "batch.",
    "queue.buffering.",
    "compression.",
    "message.timeout.ms",
    "delivery.",
    "partitioner",
    "transaction",
    "acks",
    "request.required.acks",
    "retries",
    "message.send.max.retries",
)
_PATIENCE = 60.0


class Checkpoints:
    """The checkpoints of one shard of a run into topics named by `template`."""

    def __init__(self, topic: str, template: str, run: Run) -> None:
        self.topic = topic
        self.run = run
        # Both parts of a run may go into the same topics.
        self.key = f"{template} {run.scenario} {run.shard}/{run.shards}{' live' if run.live else ''}"

    def message(self, facts: Mapping[str, int]) -> Messages:
        """The message that says so many facts of each stream are there."""
        document = {**identity(KIND, self.run), **remembered(self.run), "facts": dict(facts)}
        value = json.dumps(document).encode()
        return Messages(self.topic, ANY, [value], [self.key.encode()], [time.time_ns() // 1_000_000]).columned()

    def find(self, settings: Settings, url: str) -> dict[str, int]:
        """Facts by stream as of the last checkpoint that was committed; empty where there is none.

        Raises SinkError where that is one of another run, and what `last` does.
        """
        document = last(self.topic, lambda key: key == self.key, settings, url)
        if document is None:
            return {}
        if reason := difference(document, KIND, self.run):
            raise SinkError(f"{url}: the topics hold another run, which cannot be gone on with: {reason}")
        return {str(name): int(count) for name, count in document["facts"].items()}


def last_run(topic: str, template: str, scenario: str, settings: Settings, url: str) -> Past | None:
    """The last run of a scenario that has a checkpoint, of whatever shard; None where there is none.

    Raises what `last` does.
    """
    document = last(topic, lambda key: key.startswith(f"{template} {scenario} "), settings, url)
    return None if document is None else past(document)


def last(topic: str, wanted: Callable[[str], bool], settings: Settings, url: str) -> dict[str, Any] | None:
    """The last checkpoint that was committed under such a key; None where there is none, or no such topic.

    Raises SinkError where it cannot be read, KafkaException where brokers are away meanwhile: read again.
    """
    ours = {
        "group.id": f"datagen {topic}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    shared = {name: value for name, value in settings.values.items() if not name.startswith(_OF_PRODUCERS)}
    consumer = Consumer({**shared, **ours}, logger=CLIENT_LOG)
    try:
        if topic not in consumer.list_topics(timeout=ANSWER).topics:
            return None
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        return _read(consumer, wanted, topic, url)
    except KafkaException as error:
        if error.args[0].code() in ABSENT:
            raise
        raise SinkError(f"{url}: {topic}: {settings.redact(error.args[0].str())}") from None
    finally:
        consumer.close()


def _read(consumer: Consumer, wanted: Callable[[str], bool], topic: str, url: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.2):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return found
            if error is not None:
                raise KafkaException(error)
            key, value = message.key(), message.value()
            if key is not None and value is not None and wanted(key.decode()):
                found = json.loads(value)
    raise SinkError(f"{url}: the checkpoints in {topic} could not be read within {_PATIENCE:.0f} s")
