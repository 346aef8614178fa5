"""Topics: their names, and whether they can hold simulated time.

Brokers judge records by their timestamps, which here are event times. With a broker's defaults, facts of three
years ago are deleted at once (retention) and facts of tomorrow refused. So topics that datagen creates keep
everything and take any timestamp; topics that exist already are examined, and what they would do is said beforehand.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from sim.errors import ParameterError, SinkError
from sinks.kafka.client import ABSENT
from sinks.manifest import instant
from sinks.run import Run
from sinks.words import nearest

LOG = logging.getLogger("datagen.sinks")

_EVER = str(2**63 - 1)
_KEPT = {
    "retention.ms": "-1",
    "cleanup.policy": "delete",
    "message.timestamp.type": "CreateTime",
    # By default files are a week of event time long, so that years pour into hundreds: half of a broker's work.
    "segment.ms": _EVER,
}
ANY_TIME = _KEPT | {"message.timestamp.after.max.ms": _EVER}
ANY_TIME_BEFORE_3_6 = _KEPT | {"message.timestamp.difference.max.ms": _EVER}

_MANY = 100
"""Files a partition that are worth a word."""

_LEGAL = re.compile(r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$")
_FIELD = re.compile(r"\{([^{}]*)\}")
_KNOWN = 2.0
_FIELDS = ("scenario", "stream")


def check_template(template: str) -> None:
    """Raise ParameterError where `template` names something else than {scenario} and {stream}, or not the stream."""
    for name in _FIELD.findall(template):
        if name not in _FIELDS:
            raise ParameterError(f"topic={template}: {{{name}}} is not known{nearest(name, _FIELDS)}")
    if "{stream}" not in template:
        raise ParameterError(f"topic={template}: {{stream}} is missing: each stream needs a topic of its own")


def name(template: str, scenario: str, stream: str) -> str:
    """The topic of a stream. Raises SinkError where Kafka would not take the name."""
    topic = template.replace("{scenario}", scenario).replace("{stream}", stream)
    if not _LEGAL.match(topic):
        raise SinkError(f"{topic!r} cannot be the name of a topic: letters, digits, '.', '_' and '-', at most 249")
    return topic


class Topics:
    """Makes sure that topics are there and fit; `timeout` is in seconds, for one answer of the brokers; `batch` is in
    bytes, as many as are sent at once.
    """

    def __init__(self, admin: AdminClient, timeout: float, batch: int) -> None:
        self._admin = admin
        self._timeout = timeout
        self._batch = batch

    def prepare(self, wanted: Collection[str], partitions: int, replication: int, run: Run) -> dict[str, int]:
        """Create the topics that are missing (0 partitions or replicas: as the broker likes), examine the others.

        Returns how many partitions each has, 0 where that is not known yet. Raises SinkError where one cannot be
        created, KafkaException where brokers are away meanwhile: then it may be called again. What an existing topic
        would do to the facts is logged.
        """
        cluster = self._admin.list_topics(timeout=self._timeout)
        if cluster.controller_id not in cluster.brokers:
            LOG.info("this broker has no controller to create topics: they must come into being when written to")
            return dict.fromkeys(wanted, 0)
        there = cluster.topics
        missing = [topic for topic in wanted if topic not in there]
        if missing:
            self._create(missing, partitions or -1, replication or -1)
        existing = [topic for topic in wanted if topic in there]
        for topic in existing:
            if partitions and len(there[topic].partitions) != partitions:
                LOG.warning("topic %r has %d partitions, not %d", topic, len(there[topic].partitions), partitions)
        if existing:
            self._examine(existing, run)
        known = {topic: len(there[topic].partitions) for topic in existing}
        return {topic: known.get(topic) or self._count(topic) for topic in wanted}

    def keep(self, topic: str, settings: Mapping[str, str], replication: int) -> None:
        """Create a topic of one partition with settings of its own, unless it is there. Raises what `prepare` does."""
        if topic not in self._admin.list_topics(timeout=self._timeout).topics:
            asked = NewTopic(topic, 1, replication or -1, config=dict(settings))
            refused: list[str] = []
            outcome = self._admin.create_topics([asked], operation_timeout=self._timeout, request_timeout=self._timeout)
            for future in outcome.values():
                if not self._is_created(topic, future, refused):
                    raise SinkError(refused[-1])
            self._count(topic)

    def _count(self, topic: str) -> int:
        # A new topic is known to its leader a moment after it was created.
        deadline = time.monotonic() + _KNOWN
        while time.monotonic() < deadline:
            found = self._admin.list_topics(topic, timeout=self._timeout).topics[topic]
            if found.error is None and found.partitions:
                return len(found.partitions)
            time.sleep(0.02)
        return 0

    def _create(self, topics: list[str], partitions: int, replication: int) -> None:
        refused: list[str] = []
        for settings in (ANY_TIME, ANY_TIME_BEFORE_3_6):
            asked = [NewTopic(topic, partitions, replication, config=settings) for topic in topics]
            outcome = self._admin.create_topics(asked, operation_timeout=self._timeout, request_timeout=self._timeout)
            topics = [topic for topic, future in outcome.items() if not self._is_created(topic, future, refused)]
            if not topics:
                break
        if topics:
            raise SinkError(refused[-1])

    def _is_created(self, topic: str, future: Future[None], refused: list[str]) -> bool:
        try:
            future.result()
        except KafkaException as error:
            problem = error.args[0]
            if problem.code() in ABSENT:
                raise
            if problem.code() == KafkaError.INVALID_CONFIG:
                refused.append(f"topic {topic!r} cannot be created: {problem.str()}")
                return False
            if problem.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SinkError(f"topic {topic!r} cannot be created: {problem.str()}") from None
        return True

    def _examine(self, topics: list[str], run: Run) -> None:
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        for resource, future in self._admin.describe_configs(resources, request_timeout=self._timeout).items():
            try:
                entries = future.result()
            except KafkaException as error:
                if error.args[0].code() in ABSENT:
                    raise
                LOG.info("the settings of topic %r cannot be read: %s", resource.name, error.args[0].str())
                continue
            settings = {entry.name: entry.value for entry in entries.values() if entry.value is not None}
            for text in problems(settings, run, round(time.time() * 1_000_000), self._batch):
                LOG.warning("topic %r %s", resource.name, text)


def problems(settings: Mapping[str, str], run: Run, now: int, batch: int) -> Iterator[str]:
    """What a topic with these settings would do to the facts of a run, sent in batches of that many bytes.

    `now` is microseconds since the epoch.
    """
    retention = int(settings.get("retention.ms", -1))
    if retention >= 0 and run.start < now - retention * 1000:
        kept = instant(now - retention * 1000)
        yield f"keeps records of the last {retention} ms only (retention.ms): facts before {kept} will be deleted"
    ahead = _limit(settings, "message.timestamp.after.max.ms")
    if ahead is not None and run.end > now + ahead * 1000:
        yield f"takes timestamps up to {ahead} ms ahead only: facts after {instant(now + ahead * 1000)} will be refused"
    behind = _limit(settings, "message.timestamp.before.max.ms")
    if behind is not None and run.start < now - behind * 1000:
        oldest = instant(now - behind * 1000)
        yield f"takes timestamps up to {behind} ms old only: facts before {oldest} will be refused"
    segment = int(settings.get("segment.ms", _EVER))
    if (files := (run.end - run.start) // (segment * 1000)) > _MANY:
        yield f"begins a file after every {segment} ms of event time (segment.ms): {files} a partition, which slows it"
    most = int(settings.get("max.message.bytes", batch))
    if most < batch:
        yield f"takes {most} bytes at once only (max.message.bytes): lower batch.size, now {batch}"
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield "replaces event times by the time of arrival (message.timestamp.type=LogAppendTime)"
    if "compact" in settings.get("cleanup.policy", ""):
        yield "keeps only the last fact of each key in the end (cleanup.policy=compact)"


def _limit(settings: Mapping[str, str], name: str) -> int | None:
    value = settings.get(name, settings.get("message.timestamp.difference.max.ms"))
    return None if value is None else int(value)
