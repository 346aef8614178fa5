"""The Kafka sink: windows of facts to topics, in order per key, every fact accounted for."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException

from sim.batch import Batch, Stream
from sim.errors import ParameterError
from sinks import formats
from sinks.contract import Report, Run, Sink
from sinks.kafka.client import Client
from sinks.kafka.messages import Encoder, Messages
from sinks.kafka.pipeline import Pipeline
from sinks.kafka.settings import resolve
from sinks.kafka.topics import Topics, check_template, name
from sinks.merge import slices
from sinks.target import Options, Target

SLICE = 65_536
"""Facts that are encoded and sent together: long enough for columns, short enough for the stages to overlap."""


class Kafka(Sink):
    """One topic a stream; the value in a format, the stream's key as the key, the event time as the timestamp.

    A window is sent once it is committed, in slices of time: within a topic, facts of one key stay in order of event
    time, and the topics advance together, to within a slice. There is no order between partitions. Sending goes on
    after `commit`, whose errors may be those of windows before; `close` waits for the brokers and demands that every
    fact is acknowledged.
    """

    scheme = "kafka"
    durable = True
    guarantee = "every committed fact acknowledged by all in-sync replicas, once, in order per key within a topic"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if "@" in target.location:
            raise ParameterError(f"{target.url}: user and password belong into config=FILE or settings, not in the URL")
        options = Options(target)
        self._format = formats.find(options.choice("format", formats.names(), "json"))
        self._template = options.text("prefix") + options.text("topic", "{stream}")
        self._partitions = options.integer("partitions", 0, low=0, high=100_000)
        self._replication = options.integer("replication", 0, low=0, high=100)
        self._timeout = options.span("timeout", 10_000_000) / 1_000_000
        self._settings = resolve(target, options.text("config"))
        options.finish(settings=True)
        check_template(self._template)
        self._client: Client | None = None
        self._encoders: dict[str, Encoder] = {}
        self._pending: list[Batch] = []
        self._pipeline: Pipeline | None = None

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        topics = {stream.name: name(self._template, run.scenario, stream.name) for stream in streams}
        self._client = Client(self._settings, self.target.url)
        self._client.connect(self._timeout)
        try:
            ready = Topics(self._client.admin(), self._timeout, int(self._settings.values["batch.size"]))
            counts = ready.prepare(topics.values(), self._partitions, self._replication, run)
        except KafkaException as error:
            raise self._client.broken(error) from None
        # Another partitioner is the client's affair.
        known = self._settings.values["partitioner"] in ("murmur2", "murmur2_random")
        for stream in streams:
            topic = topics[stream.name]
            self._encoders[stream.name] = Encoder(stream, topic, self._format, counts[topic] if known else 0)
        self._pipeline = Pipeline(self._encode, self._client.send)

    def _write(self, batch: Batch) -> None:
        self._pending.append(batch)

    def _commit(self, watermark: int) -> None:
        assert self._client is not None
        assert self._pipeline is not None
        pending, self._pending = self._pending, []
        for group in slices(pending, SLICE):
            self._pipeline.put(group)
        self._client.check()

    def _encode(self, group: Sequence[Batch]) -> list[Messages]:
        return [messages for batch in group for messages in self._encoders[batch.stream.name].encode(batch)]

    def _close(self, sound: bool) -> Report:
        client, facts = self._client, self.committed
        if client is None:
            return Report(facts, until=self.watermark)
        error = self._pipeline.close() if self._pipeline else None
        client.finish(sum(facts.values()), str(error))
        return Report(
            facts,
            bytes=client.bytes,
            acknowledged=client.acknowledged,
            failed=dict(client.failed.most_common()),
            until=self.watermark,
        )
