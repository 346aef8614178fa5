"""Kafka: facts into one local broker, beside the limit of the client and of any hand-over to it.

    python benchmarks/kafka.py [--quick] [--json]

All ways in turns, on the same broker, with the same client settings (idempotent, lz4) and explicit timestamps. For JSON
and for Avro, of the orders of the engine's benchmark:

    bare        a bare compiled loop over the same messages, ready and grouped by partition (bare.py): the limit
    hand-over   the sink's own hand-over of the same messages, ready but not grouped
    run         the whole: simulation, delivery and sink, as `datagen run` does it with the extra `fast`

and of JSON only, what there is without that extra (a loop of `Producer.produce()`, the whole run), and the storefront.
Without --quick the time is measured, too, that compiled code takes to load, with nothing kept on disk and with all.

The broker is started here, as the tests start theirs, unless DATAGEN_TEST_BROKER names one.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.common import ROOT, arguments, environment, interleaved, median, publish, table, targets
from benchmarks.workload import save
from sim import compile_scenario, load, simulate
from sim.delivery.dedicated import dedicated
from sim.delivery.pipeline import deliver
from sim.model.model import Model
from sinks import Run, open_sink
from sinks.kafka.client import Client
from sinks.kafka.compiled import kernel
from sinks.kafka.encoding import Encoding
from sinks.kafka.enqueue import enqueue
from sinks.kafka.messages import Messages
from sinks.kafka.settings import DEFAULTS, resolve
from sinks.kafka.symbols import handle
from sinks.kafka.topics import ANY_TIME
from sinks.merge import slices
from sinks.target import Options, Target
from tests.kafka.broker import address

FACTS, QUICK = 12_000_000, 500_000
"""So many that the first window and the last acknowledgements, when but one side works, are a few percent of a run."""
PASSES = 2
"""How often messages that are ready are sent, so that fewer have to be kept."""
STOREFRONT = 1_900_000
"""All that the storefront has, nearly."""
REPEATS, FEWER = 5, 2
PARTITIONS = 4
CUSTOMERS, PACE = 100_000, 10.0
FORMATS = ("json", "avro")
WANTED = {"hand_over": 0.8, "run_json": 0.6, "run_avro": 0.75}
"""What the ratios to the bare loop have to be: of the hand-over in any format, of the whole run in each."""

_LOAD = """
import time
from confluent_kafka import Producer
from sinks.kafka.compiled import kernel
producer = Producer({"client.id": "load", "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
began = time.perf_counter()
kernel(producer, "load")
print(time.perf_counter() - began)
"""


class Contest:
    """The facts, the messages made of them, and the ways to send them; each way returns facts and CPU s per second."""

    def __init__(self, model: Model, facts: int, broker: str) -> None:
        self.model = model
        self.facts = facts
        self.settings = {**DEFAULTS, "bootstrap.servers": broker}
        self._run = Run(model.name, model.digest, 0, model.start, model.end)
        self._broker = broker
        self._admin = AdminClient({"bootstrap.servers": broker})
        self._kept: list[Producer] = []

    def messages(self, form: str) -> list[Messages]:
        """The messages of the first facts, as the sink makes them, not grouped: of as many as are sent in one pass."""
        target = Target.parse(f"kafka://nowhere:1?format={form}")
        encoding = Encoding(Options(target), resolve(target, ""))
        made = {stream.name: encoding.prepare(stream, stream.name, self._run) for stream in self.model.streams}
        encoders = {name: one.encoder(None) for name, one in made.items()}
        found: list[Messages] = []
        count, batches = 0, simulate(self.model)
        while count < self.facts // PASSES and (window := list(itertools.islice(batches, len(self.model.streams)))):
            for group in slices(window):
                found += [part for batch in group for part in encoders[batch.stream.name].encode(batch)]
            count += sum(map(len, window))
        return found

    def bare(self, chunks: Sequence[Any]) -> tuple[float, float]:
        """The bare loop over messages that `bare.ready` has prepared."""
        from benchmarks import bare

        producer = self._producer()
        chunks = [*chunks] * PASSES
        with self._topics() as prefix, _Clock(sum(len(chunk.rows) for chunk in chunks)) as clock:
            bare.send(producer, handle(producer, self.settings["client.id"]), prefix, chunks)
        return clock.figures

    def hand_over(self, messages: Sequence[Messages]) -> tuple[float, float]:
        """The sink's hand-over."""
        messages = [*messages] * PASSES
        with self._topics() as prefix:
            client = Client(resolve(Target.parse(f"kafka://{self._broker}"), ""), "", enqueue="compiled")
            client.connect(10)
            client.partitions |= {prefix + stream.name: PARTITIONS for stream in self.model.streams}
            with _Clock(sum(len(part.values) for part in messages)) as clock:
                for part in messages:
                    client.send(_renamed(part, prefix))
                client.finish()
        if client.failed or client.acknowledged != client.handed:
            raise RuntimeError(f"{client.failed} of {client.handed} messages have failed")
        return clock.figures

    def produce(self, messages: Sequence[Messages]) -> tuple[float, float]:
        """A loop of produce(), as tight as Python has it, then flush; `messages` are listed."""
        producer = self._producer()
        with self._topics() as prefix, _Clock(sum(len(part.values) for part in messages)) as clock:
            for part in messages:
                enqueue(producer, prefix + part.topic, part.values, part.keys, part.timestamps)
            producer.flush()
        return clock.figures

    def whole(self, form: str, way: str) -> tuple[float, float]:
        """Simulation, delivery and sink."""
        with self._topics() as prefix, dedicated(), _Clock(self.facts) as clock:
            sink = open_sink(f"kafka://{self._broker}?prefix={prefix}&format={form}&enqueue={way}")
            deliver(simulate(self.model), sink, self.model.streams, self._run, limit=self.facts)
        return clock.figures

    def _producer(self) -> Producer:
        producer = Producer(self.settings)
        producer.list_topics(timeout=10)
        kernel(producer, self.settings["client.id"])
        return producer

    @contextmanager
    def _topics(self) -> Iterator[str]:
        """Fresh topics, under a prefix of their own; they go with the context."""
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        names = [prefix + stream.name for stream in self.model.streams]
        topics = [NewTopic(name, PARTITIONS, 1, config=ANY_TIME) for name in names]
        for future in self._admin.create_topics(topics).values():
            future.result(30)
        yield prefix
        for future in self._admin.delete_topics(names).values():
            future.result(30)


class _Clock:
    """The time and the CPU time of this process that so many facts take."""

    def __init__(self, facts: int) -> None:
        self._facts = facts
        self.figures = (0.0, 0.0)

    def __enter__(self) -> _Clock:
        self._began = time.perf_counter(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._began[0], _cpu() - self._began[1]
        self.figures = (self._facts / wall, cpu / self._facts * 1e6)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _renamed(part: Messages, prefix: str) -> Messages:
    return Messages(prefix + part.topic, part.partition, part.values, part.keys, part.timestamps, part.headers)


def load_seconds() -> tuple[float, float]:
    """Seconds that the compiled code takes to load in a fresh process: with nothing kept on disk, and with all."""
    with tempfile.TemporaryDirectory() as folder:
        setting = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _LOAD]
        first, again = (
            float(subprocess.run(command, env=setting, cwd=ROOT, check=True, capture_output=True).stdout) for _ in "ab"
        )
    return first, again


def measure(broker: str, facts: int, repeats: int, customers: int = CUSTOMERS, loading: bool = True) -> dict[str, Any]:
    """All figures, by name."""
    with tempfile.TemporaryDirectory() as folder:
        orders = Contest(compile_scenario(load(str(save(Path(folder), customers, PACE)))), facts, broker)
    shop = Contest(compile_scenario(load("storefront")), min(facts, STOREFRONT), broker)
    orders.whole("json", "compiled")
    # Before messages are kept for the other ways, which are no part of what datagen needs.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    ways, sizes = _ways(orders)
    ways["json, storefront, run"] = partial(shop.whole, "json", "compiled")
    results = interleaved(ways, repeats)
    rates = {name: round(median(rate for rate, _ in found)) for name, found in results.items()}

    def ratio(name: str) -> float:
        form = name.partition(",")[0]
        return round(rates[name] / rates[f"{form}, bare"], 3)

    first, again = load_seconds() if loading else (0.0, 0.0)
    return {
        "environment": environment(),
        "facts": facts,
        "message_bytes": sizes,
        "facts_per_s": rates,
        "ratio": {name: ratio(name) for name in ways},
        "cpu_s_per_million": {name: round(median(cpu for _, cpu in found), 2) for name, found in results.items()},
        "peak_rss_mb": round(peak),
        "load_first_s": round(first, 2),
        "load_s": round(again, 2),
    }


def _ways(orders: Contest) -> tuple[dict[str, Callable[[], tuple[float, float]]], dict[str, int]]:
    """The ways of both formats, and the size of a message in each."""
    from benchmarks import bare

    ways: dict[str, Callable[[], tuple[float, float]]] = {}
    sizes = {}
    for form in FORMATS:
        messages = orders.messages(form)
        chunks = [chunk for part in messages for chunk in bare.ready(part, PARTITIONS)]
        sizes[form] = round(bare.size(chunks))
        ways[f"{form}, bare"] = partial(orders.bare, chunks)
        ways[f"{form}, hand-over"] = partial(orders.hand_over, messages)
        ways[f"{form}, run"] = partial(orders.whole, form, "compiled")
        if form == "json":
            ways["json, produce()"] = partial(orders.produce, bare.listed(chunks[: len(chunks) // 2]))
            ways["json, run without the extra"] = partial(orders.whole, form, "python")
    return ways, sizes


def report(result: dict[str, Any]) -> str:
    """The figures for people."""
    rows = [
        (name, rate, result["ratio"][name], result["cpu_s_per_million"][name])
        for name, rate in result["facts_per_s"].items()
    ]
    sizes = " and ".join(f"{size} bytes of {form}" for form, size in result["message_bytes"].items())
    heading = f"{result['facts']:,} facts, {sizes} each, peak {result['peak_rss_mb']} MB"
    loading = f"compiled code loads in {result['load_first_s']} s the first time, then in {result['load_s']} s"
    ratio = result["ratio"]
    wanted = {
        "hand-over, json": (ratio["json, hand-over"], ">=", WANTED["hand_over"]),
        "hand-over, avro": (ratio["avro, hand-over"], ">=", WANTED["hand_over"]),
        "run, json": (ratio["json, run"], ">=", WANTED["run_json"]),
        "run, avro": (ratio["avro, run"], ">=", WANTED["run_avro"]),
    }
    columns = ("way", "facts/s", "of bare", "CPU s/M")
    return "\n\n".join([heading, table(columns, rows), loading, targets(wanted)])


def main() -> None:
    options = arguments(__doc__.partition("\n")[0] if __doc__ else "")
    facts, repeats = (QUICK, FEWER) if options.quick else (FACTS, REPEATS)
    with address() as broker:
        result = measure(broker, facts, repeats, loading=not options.quick)
    publish(result, report(result), options.json)


if __name__ == "__main__":
    main()
