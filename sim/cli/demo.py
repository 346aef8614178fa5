"""`datagen demo`: a broker in this process, a scenario streamed into it, and a consumer's view of the topics."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.jobs.job import Job
from sim.cli.terminal.live import Topics, view
from sim.cli.terminal.signals import Interruption

if TYPE_CHECKING:
    from sim.delivery.pipeline import Outcome
    from sim.model.model import Model

DAY = 86_400_000_000
SPAN = 90 * DAY
"""Simulated time that the demonstration shows, unless the scenario ends before."""

_PATIENCE = 5.0


def demo(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="What to stream.")] = "storefront",
    seconds: Annotated[float, typer.Option(min=1, max=50, help="How long the stream lasts.")] = 20.0,
) -> None:
    """Stream a scenario into a broker and watch its topics.

    \b
      datagen demo
      datagen demo bank --seconds 10

    Needs nothing but datagen: the broker lives in this process, and is gone when it ends. Ninety simulated days pass
    in the given time.
    """
    from sinks.kafka.mock import MockBroker

    with Interruption() as interruption, MockBroker() as broker:
        job = Job(scenario, to=f"kafka://{broker.address}")
        model = job.model()
        speed = min(SPAN, model.end - model.start) / 1e6 / seconds
        names = [stream.name for stream in model.streams]
        topics, sender = Topics(names), _Sender(job, model, speed, interruption.stop)
        title = _title(model, broker.address, speed)
        with _Consumer(broker.address, names) as consumer, view(topics, title) as refresh:
            sender.start()
            _watch(consumer, topics, sender, seconds, refresh)
    typer.echo(_farewell(scenario, sender.result(), topics))
    raise typer.Exit(interruption.exit_code)


def _title(model: Model, address: str, speed: float) -> str:
    return f"{model.name} into a broker in this process ({address}), {speed:,.0f} times as fast as real time"


def _farewell(scenario: str, outcome: Outcome, topics: Topics) -> str:
    acknowledged = sum(report.acknowledged for report in outcome.reports)
    counts = f"{outcome.total:,} facts sent, {acknowledged:,} acknowledged, {topics.records:,} received"
    busiest = max(topics.topics.values(), key=lambda topic: topic.records).name
    return (
        f"{counts}. The broker is gone.\n"
        f"Next: datagen preview {scenario} {busiest}\n"
        f"      datagen run {scenario} --to kafka://localhost:9092 --speed 60x"
    )


class _Sender(threading.Thread):
    """Delivers the job beside the consumer, until stopped."""

    def __init__(self, job: Job, model: Model, speed: float, stop: threading.Event) -> None:
        super().__init__(name="datagen-demo", daemon=True)
        self.stop = stop
        self._job, self._model, self._speed = job, model, speed
        self._outcome: Outcome | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        from sim.delivery.pipeline import deliver
        from sim.delivery.schedule import Speed

        job, model = self._job, self._model
        try:
            batches, run = job.batches(model), job.run(model)
            schedule = Speed(self._speed)
            self._outcome = deliver(batches, job.sink(), model.streams, run, schedule=schedule, stop=self.stop)
        except Exception as error:
            self._error = error

    def result(self) -> Outcome:
        """What was sent, once the thread has ended; raises its error."""
        if self._error is not None:
            raise self._error
        assert self._outcome is not None
        return self._outcome


def _watch(consumer: _Consumer, topics: Topics, sender: _Sender, seconds: float, refresh: Callable[[], None]) -> None:
    """Show what arrives for so many seconds from the first record on, and then until the last one is here, or nothing
    has come for a while.
    """
    first, quiet = math.inf, topics.elapsed
    while True:
        for name, records, last in consumer.receive():
            topics.add(name, records, last)
            first, quiet = min(first, topics.elapsed), topics.elapsed
        refresh()
        if topics.elapsed - min(first, _PATIENCE) > seconds:
            sender.stop.set()
        if not sender.is_alive():
            sender.join()
            if topics.records >= sender.result().total or topics.elapsed - quiet > _PATIENCE:
                return


class _Consumer:
    """Reads all partitions of the topics, which it brings into being; without a group, because groups meet slowly."""

    def __init__(self, address: str, names: Iterable[str]) -> None:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

        settings = {"bootstrap.servers": address, "group.id": "demo", "enable.auto.commit": False, "log_level": "0"}
        self._consumer = Consumer({**settings, "auto.offset.reset": "earliest", "allow.auto.create.topics": True})
        partitions = [
            TopicPartition(name, number, OFFSET_BEGINNING)
            for name in names
            for number in self._consumer.list_topics(name, timeout=10).topics[name].partitions
        ]
        self._consumer.assign(partitions)

    def __enter__(self) -> _Consumer:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def receive(self) -> list[tuple[str, int, str]]:
        """Records that have arrived within a tenth of a second: per topic their number and the last value."""
        found: dict[str, tuple[int, bytes]] = {}
        for message in self._consumer.consume(10_000, timeout=0.1):
            if message.error() is None:
                topic = message.topic() or ""
                found[topic] = (found.get(topic, (0, b""))[0] + 1, message.value() or b"")
        return [(name, count, last.decode("utf-8", "replace")) for name, (count, last) in found.items()]
