"""Kafka: facts of the storefront as JSON into one local broker, beside the client's own limit.

    python benchmarks/kafka.py [--quick] [--json]

Three ways in turns, on the same broker, with the same client settings (idempotent, lz4) and explicit timestamps:

    bare   a loop of Producer.produce() over the same messages, ready, in order of time
    sink   the Kafka sink, given the finished facts: encodes them, sends them and waits for every acknowledgement
    run    the whole: simulation, delivery and sink, as `datagen run` does it (not with --quick)

The broker is started here, as the tests start theirs, unless DATAGEN_TEST_BROKER names one.
"""

from __future__ import annotations

import itertools
import resource
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.common import arguments, environment, interleaved, median, publish, table, targets
from sim import compile_scenario, load, simulate
from sim.batch import Batch, Stream
from sim.delivery.pipeline import deliver
from sim.model.model import Model
from sinks import Run, open_sink
from sinks.envelopes import Envelope
from sinks.formats.format import NAMESPACE
from sinks.formats.json import Json
from sinks.kafka.keys import Keys
from sinks.kafka.messages import Encoder, Messages
from sinks.kafka.settings import DEFAULTS
from sinks.kafka.topics import ANY_TIME
from sinks.kafka.values import Values, Version
from sinks.merge import slices
from tests.kafka.broker import address

FACTS = 2_000_000
QUICK = 600_000
PARTITIONS = 4
RATIO = 0.75


class Contest:
    """The facts, and the three ways to send them; each way returns facts per second."""

    def __init__(self, model: Model, facts: int, broker: str) -> None:
        self.model = model
        self.run = Run(model.name, model.digest, 0, model.start, model.end)
        self.windows = _windows(model, facts)
        self.facts = sum(len(batch) for window in self.windows for batch in window)
        self._broker = broker
        self._admin = AdminClient({"bootstrap.servers": broker})
        self.messages: list[Messages] = []

    def prepare(self) -> None:
        """Make the messages for the bare loop: those of the sink, not grouped by partition."""
        encoders = {stream.name: self._encoder(stream) for stream in self.model.streams}
        for window in self.windows:
            for group in slices(window):
                for batch in group:
                    self.messages += [chunk.listed() for chunk in encoders[batch.stream.name].encode(batch)]

    def _encoder(self, stream: Stream) -> Encoder:
        version = Version(self.run.start, Envelope(stream, self.run, NAMESPACE), Json(stream))
        return Encoder(stream.name, Values([version]), Keys(stream))

    def bare(self) -> float:
        """produce() in a loop, then flush."""
        prefix = self._topics()
        producer = Producer({**DEFAULTS, "bootstrap.servers": self._broker})
        producer.list_topics(timeout=10)
        began = time.perf_counter()
        for chunk in self.messages:
            _produce(producer, prefix + chunk.topic, chunk)
        if producer.flush():
            raise RuntimeError("the broker has not acknowledged everything")
        elapsed = time.perf_counter() - began
        self._remove(prefix)
        return self.facts / elapsed

    def sink(self) -> float:
        """The sink alone."""
        prefix = self._topics()
        sink = open_sink(f"kafka://{self._broker}?prefix={prefix}")
        sink.open(self.model.streams, self.run)
        began = time.perf_counter()
        for window in self.windows:
            for batch in window:
                sink.write(batch)
            sink.commit(window[0].until)
        report = sink.close()
        elapsed = time.perf_counter() - began
        self._remove(prefix)
        if report.acknowledged != self.facts:
            raise RuntimeError(f"{report.acknowledged} of {self.facts} facts are acknowledged")
        return self.facts / elapsed

    def whole(self) -> float:
        """Simulation, delivery and sink."""
        prefix = self._topics()
        sink = open_sink(f"kafka://{self._broker}?prefix={prefix}")
        began = time.perf_counter()
        outcome = deliver(simulate(self.model), sink, self.model.streams, self.run, limit=self.facts)
        elapsed = time.perf_counter() - began
        self._remove(prefix)
        return outcome.total / elapsed

    def _topics(self) -> str:
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        names = [NewTopic(prefix + stream.name, PARTITIONS, 1, config=ANY_TIME) for stream in self.model.streams]
        for future in self._admin.create_topics(names).values():
            future.result(10)
        return prefix

    def _remove(self, prefix: str) -> None:
        for future in self._admin.delete_topics([prefix + stream.name for stream in self.model.streams]).values():
            future.result(10)


def _windows(model: Model, facts: int) -> list[list[Batch]]:
    """The first windows of a run, until there are enough facts."""
    found: list[list[Batch]] = []
    count = 0
    batches = simulate(model)
    while count < facts and (window := list(itertools.islice(batches, len(model.streams)))):
        found.append(window)
        count += sum(map(len, window))
    return found


def _produce(producer: Producer, topic: str, chunk: Messages) -> None:
    produce = producer.produce
    for value, key, timestamp in zip(chunk.values, chunk.keys, chunk.timestamps, strict=True):
        while True:
            try:
                produce(topic, value, key, -1, None, None, timestamp)
                break
            except BufferError:
                producer.poll(0.005)


def measure(broker: str, quick: bool) -> dict[str, Any]:
    """All figures, by name."""
    contest = Contest(compile_scenario(load("storefront")), QUICK if quick else FACTS, broker)
    contest.sink()
    # Before the bare loop's messages are made, which are no part of what datagen needs.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    contest.prepare()
    ways = {"bare": contest.bare, "sink": contest.sink} | ({} if quick else {"run": contest.whole})
    rates = interleaved(ways)
    size = sum(chunk.bytes for chunk in contest.messages) / contest.facts
    whole = {} if quick else {"run_facts_per_s": round(median(rates["run"]))}
    return {
        "environment": environment(),
        "facts": contest.facts,
        "message_bytes": round(size),
        "facts_per_s": round(median(rates["sink"])),
        "bare_produce_per_s": round(median(rates["bare"])),
        "bare_produce_ratio": round(median(_ratios(rates["sink"], rates["bare"])), 3),
        "peak_rss_mb": round(peak),
        **whole,
    }


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def report(result: dict[str, Any]) -> str:
    """The figures for people."""
    rows = [
        ("bare produce() loop, messages ready", result["bare_produce_per_s"], 1.0),
        ("Kafka sink, from facts", result["facts_per_s"], result["bare_produce_ratio"]),
    ]
    if "run_facts_per_s" in result:
        whole = result["run_facts_per_s"]
        rows.append(("simulation, delivery and sink", whole, whole / result["bare_produce_per_s"]))
    heading = (
        f"{result['facts']:,} facts, {result['message_bytes']} bytes of JSON each, peak {result['peak_rss_mb']} MB"
    )
    wanted = targets({"bare_produce_ratio": (result["bare_produce_ratio"], ">=", RATIO)})
    return "\n\n".join([heading, table(("way", "facts/s", "ratio"), rows), wanted])


def main() -> None:
    options = arguments(__doc__.partition("\n")[0] if __doc__ else "")
    with address() as broker:
        result = measure(broker, options.quick)
    publish(result, report(result), options.json)


if __name__ == "__main__":
    main()
