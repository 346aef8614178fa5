"""The Kafka sink: windows of facts to topics, in order per key, every fact accounted for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.batch import Batch, Stream
from sim.errors import ParameterError
from sinks.contract import Sink
from sinks.damage import marked
from sinks.kafka.checkpoints import COMPACTED, TOPIC, Checkpoints, last_run
from sinks.kafka.client import ANSWER, Client
from sinks.kafka.encoding import Encoding
from sinks.kafka.listening import Listening
from sinks.kafka.messages import Encoder, Messages
from sinks.kafka.overlap import Ahead
from sinks.kafka.partitions import Partitions
from sinks.kafka.schemas import patient
from sinks.kafka.settings import resolve
from sinks.kafka.topics import Topics, check_template, name
from sinks.kafka.transactions import TIMEOUT_MS, Transactions
from sinks.kafka.ways import AUTO, WAYS, check
from sinks.merge import slices
from sinks.run import Past, Report, Run
from sinks.staging import Staged
from sinks.target import Options, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONCE = "every committed fact once, visible together with a checkpoint, in order per key within a topic"

Encoded = list[tuple[str, int, list[Messages]]]
"""The messages of a slice's batches, with the names of their streams and their numbers of facts."""

AT_MOST = 8
"""Slices that share a transaction."""

SLICE = 65_536
"""Facts that are encoded together, and the most by which one topic runs ahead of another."""


class Kafka(Sink):
    """One topic a stream; the value in a format, the stream's key as the key, the event time as the timestamp.

    A window is sent when it is committed, in slices of time: within a topic, facts of one key stay in order of event
    time, and the topics advance together, to within a slice. There is no order between partitions. `commit` does not
    wait for the brokers; `close` does, and demands that every fact is acknowledged.
    """

    scheme = "kafka"
    durable = True
    guarantee = "every committed fact acknowledged by all in-sync replicas, once, in order per key within a topic"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if "@" in target.location:
            raise ParameterError(f"{target.url}: user and password belong into config=FILE or settings, not in the URL")
        options = Options(target)
        self._template = options.text("prefix") + options.text("topic", "{stream}")
        self._partitions = options.integer("partitions", 0, low=0, high=100_000)
        self._replication = options.integer("replication", 0, low=0, high=100)
        self._timeout = options.span("timeout", 60_000_000) / 1_000_000
        self._settings = resolve(target, options.text("config"))
        self._once = options.flag("exactly_once", False)
        self._checkpoint_topic = options.text("checkpoints", TOPIC)
        self._enqueue = options.choice("enqueue", WAYS, AUTO)
        check(self._enqueue)
        self._encoding = Encoding(options, self._settings)
        self.damages = self._encoding.damages
        options.finish(settings=True)
        check_template(self._template)
        self.resumable = self._once
        self.acknowledges = "commit" if self._once else "later"
        if self._once:
            self.guarantee = f"exactly once for consumers that read committed facts: {ONCE}"  # type: ignore[misc]
        self._client: Client | None = None
        self._transactions: Transactions | None = None
        self._checkpoints: Checkpoints | None = None
        self._there: dict[str, int] = {}
        self._encoders: dict[str, Encoder] = {}
        self._pending: list[Batch] = []
        self._thread = ThreadPoolExecutor(1, "datagen-kafka-encoder")
        self._prepared: deque[tuple[Sequence[Batch], Iterable[Encoded]]] = deque()
        self._by_count: dict[int, Partitions] = {}
        self.staged = 0
        """Facts that were encoded ahead of their time."""

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        topics = {stream.name: name(self._template, run.scenario, stream.name) for stream in streams}
        settings = self._settings
        if self._once:
            self._checkpoints = Checkpoints(self._checkpoint_topic, self._template, run)
            settings = settings.within_transactions(f"datagen {self._checkpoints.key}", TIMEOUT_MS)
        watched = self.probe is not None and not self._once
        self._client = Client(settings, self.target.url, self.stop, self._enqueue, prompt=watched)
        # Connects on threads of its own, meanwhile.
        admin = self._client.admin()
        self._client.connect(self._timeout)
        self._encoding.wait(patient(self._timeout, self.stop))
        # First the schemas: where the registry refuses one, no topic is left behind.
        prepared = [self._encoding.prepare(stream, topics[stream.name], run) for stream in streams]
        ready = Topics(admin, min(self._timeout, ANSWER), int(self._settings.values["batch.size"]))
        prepare = partial(ready.prepare, topics.values(), self._partitions, self._replication, run)
        counts = self._client.outlast(prepare, self._timeout)
        if self._once:
            keep = partial(ready.keep, self._checkpoint_topic, COMPACTED, self._replication)
            self._client.outlast(keep, self._timeout)
        if self._by_key:
            self._client.partitions |= counts
        self._encoders = {
            stream.name: one.encoder(self._known(counts[one.topic]))
            for stream, one in zip(streams, prepared, strict=True)
        }
        self._there = {stream.name: 0 for stream in streams}
        if self._checkpoints is not None:
            self._take_up(self._client, self._checkpoints)

    def _take_up(self, client: Client, checkpoints: Checkpoints) -> None:
        """Begin with transactions; after the last checkpoint, where this is to go on with an earlier process's work."""
        self._transactions = Transactions(client)
        self._transactions.begin_all()
        if self.resuming:
            find = partial(checkpoints.find, self._settings, self.target.url)
            self.resumed = client.outlast(find, self._timeout)
            self._there |= self.resumed

    def last_run(self, scenario: str) -> Past | None:
        """What the last checkpoint says, where facts are written with any. Waits for a broker as `open` does."""
        if not self._once:
            return None
        client = Client(self._settings, self.target.url, self.stop)
        client.connect(self._timeout)
        find = partial(last_run, self._checkpoint_topic, self._template, scenario, self._settings, self.target.url)
        try:
            return client.outlast(find, self._timeout)
        finally:
            client.finish()

    @property
    def unresumable(self) -> str:
        """What is missing."""
        return "only with exactly_once=true, from the first process on, are facts written together with a checkpoint"

    def _known(self, count: int) -> Partitions | None:
        """Partitions by key, shared by topics that have equally many; None where the client has to find them."""
        return self._by_count.setdefault(count, Partitions(count)) if self._by_key and 0 < count < 2**15 else None

    @property
    def _by_key(self) -> bool:
        """Whether keys go where they do in the Java client."""
        return self._settings.values["partitioner"] in ("murmur2", "murmur2_random")

    def _write(self, batch: Batch) -> None:
        self._pending.append(batch)

    def _commit(self, watermark: int) -> None:
        assert self._client is not None
        pending, self._pending = self._pending, []
        for number, group in enumerate(self._encoded(pending), 1):
            for stream, count, messages in group:
                for part in messages:
                    self._send(part)
                self._there[stream] += count
            if number % AT_MOST == 0:
                self._commit_transaction()
        self._commit_transaction()
        self._client.producer.poll(0)
        self._client.check()

    def _prepare(self, batches: Sequence[Batch]) -> None:
        # Compiled code sends without the interpreter's lock, so that another thread encodes meanwhile. A loop in Python
        # would lose more by waiting for that lock than it gains (0.72 of a bare produce loop instead of 0.82).
        if self._client is not None and self._client.groups:
            self._prepared.append((batches, Ahead(self._encode, slices(batches, SLICE), self._thread)))

    def _encoded(self, pending: Sequence[Batch]) -> Iterable[Encoded]:
        """The messages of a window, slice by slice."""
        if self._prepared and [*map(id, self._prepared[0][0])] == [*map(id, pending)]:
            return self._prepared.popleft()[1]
        return map(self._encode, slices(pending, SLICE))

    def _encode(self, group: list[Batch]) -> Encoded:
        """The messages of a slice."""
        assert self._client is not None
        whole, names = self._client.groups, [batch.stream.name for batch in group]
        made = [self._encoders[name].encode(batch, not whole) for name, batch in zip(names, group, strict=True)]
        return [*zip(names, map(len, group), made, strict=True)]

    def _commit_transaction(self) -> None:
        if self._transactions is not None and self._checkpoints is not None:
            began = time.monotonic()
            self._transactions.commit(self._checkpoints.message(self._there))
            self.blocked += time.monotonic() - began

    @property
    def acknowledged(self) -> int:
        """Facts of which the brokers have said that they have them, or which are committed in transactions."""
        if self._client is None or self._once:
            return sum(self._committed.values())
        return self._client.acknowledged - self._client.graves

    def listener(self) -> Listening:
        """Reads the topics back, by the header `due`."""
        topics = [encoder.topic for encoder in self._encoders.values()]
        return Listening(self._settings, self.target.url, tuple(topics), self._timeout, committed=self._once)

    def _send(self, messages: Messages, hear: Callable[[], None] | None = None) -> None:
        assert self._client is not None
        waited = self._client.waited
        if self._transactions is None:
            self._client.send(messages, hear)
        else:
            self._transactions.send(messages)
        self.blocked += self._client.waited - waited

    def _stage(self, batches: Sequence[Batch], due: NDArray[np.int64]) -> Staged:
        return _Encoded(self, batches, due)

    def _close(self, sound: bool) -> Report:
        self._thread.shutdown(cancel_futures=True)
        client, facts = self._client, self.committed
        if client is None:
            return Report(facts, until=self.watermark)
        if self._transactions is not None:
            self._transactions.abort()
        client.finish()
        return Report(
            facts,
            bytes=client.bytes,
            acknowledged=client.acknowledged - client.graves,
            failed=dict(client.failed.most_common()),
            until=self.watermark,
        )


class _Encoded(Staged):
    """Messages that wait for their time."""

    gradual = True
    sink: Kafka

    def __init__(self, sink: Kafka, batches: Sequence[Batch], due: NDArray[np.int64]) -> None:
        super().__init__(sink, batches)
        self._number = sink.staged
        sink.staged += self.facts
        self._messages = [
            sink._encoders[batch.stream.name].in_order(marked(batch), due[places]).listed()
            for batch, places in zip(batches, self._places, strict=True)
        ]

    def _send(self, upto: int, first: Sequence[int], last: Sequence[int]) -> None:
        parts = zip(self.batches, self._messages, self._places, first, last, strict=True)
        for batch, messages, places, start, end in parts:
            if start < end:
                self._send_part(messages, places, start, end)
                self.sink._there[batch.stream.name] += end - start

    def _send_part(self, messages: Messages, places: NDArray[np.int64], start: int, end: int) -> None:
        """Send a part, of which those facts go by themselves that are watched."""
        probe = self.sink.probe
        if probe is None or self.sink.acknowledges != "later":
            self.sink._send(messages.part(start, end))
            return
        watched = start + np.flatnonzero((places[start:end] + self._number) % probe.every == 0)
        for place, due in zip(watched.tolist(), self.due[places[watched]].tolist(), strict=True):
            if start < place:
                self.sink._send(messages.part(start, place))
            self.sink._send(messages.part(place, place + 1), partial(probe.acknowledged_one, due))
            start = place + 1
        if start < end:
            self.sink._send(messages.part(start, end))
