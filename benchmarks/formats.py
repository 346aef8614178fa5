"""Formats: how fast the facts of the storefront become messages, in each format and envelope, on one core.

    python benchmarks/formats.py [--quick] [--json]

Each way is what the Kafka sink does to a slice of facts before it hands them to the client: envelope, value, key,
timestamp and headers. Values in JSON and Avro are written by compiled code, as after many facts with the extra `fast`,
and beside it as without that extra. The bare encoders of the formats, without the rest, stand beside it, too.
"""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import arguments, environment, interleaved, median, publish, table, timed
from sim import compile_scenario, load, simulate
from sim.batch import Batch, Stream
from sim.model.model import Model
from sinks import Run
from sinks.formats import Format, find, loading
from sinks.kafka.encoding import Encoding
from sinks.kafka.messages import Encoder
from sinks.kafka.partitions import Partitions
from sinks.kafka.settings import resolve
from sinks.kafka.sink import SLICE
from sinks.merge import slices
from sinks.target import Options, Target

FACTS = 1_000_000
QUICK = 150_000
PARTITIONS = 4
BARE = ("json", "avro", "protobuf", "csv")
COMPILED = (loading.JSON, loading.AVRO)
COMPILED_FORMS = ("json", "avro")
WAYS = {
    "json": "format=json",
    "avro": "format=avro",
    "protobuf": "format=protobuf",
    "csv": "format=csv",
    "json, cloudevents": "envelope=cloudevents",
    "avro, cloudevents-binary": "format=avro&envelope=cloudevents-binary",
    "json, debezium": "envelope=debezium",
    "avro, debezium": "format=avro&envelope=debezium",
    "avro, avro keys": "format=avro&key.format=avro",
    "json, 2 headers": "headers=stream,id",
}
"""What is measured: the options of the Kafka sink by the name of the row."""


def groups(model: Model, facts: int) -> list[Batch]:
    """The slices of the first windows of a run, in the order in which the sink takes them, until there are enough."""
    found: list[Batch] = []
    count = 0
    batches = simulate(model)
    while count < facts and (window := list(itertools.islice(batches, len(model.streams)))):
        found += [batch for group in slices(window, SLICE) for batch in group]
        count += sum(map(len, window))
    return found


def encoders(model: Model, query: str) -> dict[str, Encoder]:
    """The encoder of each stream, as the Kafka sink with these options makes it."""
    target = Target.parse(f"kafka://nowhere:1?{query}")
    encoding = Encoding(Options(target), resolve(target, ""))
    run = Run(model.name, model.digest, 42, model.start, model.end)
    known = Partitions(PARTITIONS)
    return {stream.name: encoding.prepare(stream, stream.name, run).encoder(known) for stream in model.streams}


def whole(made: dict[str, Encoder], batches: list[Batch]) -> None:
    """Make all messages, and drop them."""
    for batch in batches:
        for part in made[batch.stream.name].encode(batch):
            deque(part.listed().headers or (), maxlen=0)


def alone(made: dict[str, Format], batches: list[Batch]) -> None:
    """Make all values, and drop them."""
    for batch in batches:
        made[batch.stream.name].encode(batch.data)


@contextmanager
def without_extra() -> Iterator[None]:
    """As where the compiled code cannot be had."""
    kernels = [known.kernel for known in COMPILED]
    for known in COMPILED:
        known.kernel = None
    yield
    for known, kernel in zip(COMPILED, kernels, strict=True):
        known.kernel = kernel


def load_extra() -> None:
    """As after many facts."""
    for known in COMPILED:
        known.after(10**9)
        known.wait()
        if known.after(0) is None:
            raise RuntimeError("the compiled code cannot be loaded: pip install 'datagen[fast]'")


def slow(made: dict[str, Encoder], batches: list[Batch]) -> None:
    """Make all messages without compiled code, and drop them."""
    with without_extra():
        whole(made, batches)


def measure(quick: bool) -> dict[str, Any]:
    """Facts per second for each way."""
    load_extra()
    model = compile_scenario(load("storefront"))
    batches = groups(model, QUICK if quick else FACTS)
    facts = sum(map(len, batches))
    tasks: dict[str, Callable[[], float]] = {
        name: partial(timed, partial(whole, encoders(model, query), batches)) for name, query in WAYS.items()
    }
    for name in COMPILED_FORMS:
        made = encoders(model, WAYS[name])
        tasks[f"{name}, without the extra"] = partial(timed, partial(slow, made, batches))
    for name in BARE:
        tasks[f"{name}, values alone"] = partial(timed, partial(alone, _formats(model.streams, name), batches))
    rates = {name: round(facts / median(seconds)) for name, seconds in interleaved(tasks).items()}
    return {"environment": environment(), "facts": facts, "facts_per_s": rates, "message_bytes": _sizes(model, batches)}


def _formats(streams: tuple[Stream, ...], name: str) -> dict[str, Format]:
    return {stream.name: find(name)(stream) for stream in streams}


def _sizes(model: Model, batches: list[Batch]) -> dict[str, float]:
    """Mean size of a value, from the first slices."""
    sizes = {}
    for name, query in WAYS.items():
        made = encoders(model, query)
        parts = [part for batch in batches[:20] for part in made[batch.stream.name].encode(batch)]
        sizes[name] = sum(part.bytes for part in parts) / sum(len(part.values) for part in parts)
    return sizes


def report(result: dict[str, Any]) -> str:
    """The figures for people."""
    sizes = result["message_bytes"]
    rows = [(name, rate, sizes.get(name, "")) for name, rate in result["facts_per_s"].items()]
    return f"{result['facts']:,} facts\n\n{table(('format', 'facts/s', 'bytes'), rows)}"


def main() -> None:
    options = arguments("Formats: facts a second on one core")
    result = {"benchmark": "formats", "quick": options.quick} | measure(options.quick)
    publish(result, report(result), options.json)


if __name__ == "__main__":
    main()
