"""Topics of Kafka as a recording, kept in files of a temporary folder while it is replayed."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sim.cli import logs, when
from sim.cli.progress import EVERY
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.delivery.replay.naming import Naming
    from sim.delivery.replay.recording import Recording
    from sim.delivery.replay.records import Topic
    from sinks.kafka.records import Extent, Reader
    from sinks.target import Target


@dataclass(frozen=True, slots=True)
class Source:
    """Which topics of which brokers, and which of their records, by timestamps in microseconds."""

    target: Target
    topics: tuple[str, ...]
    config: str
    timeout: float
    since: int | None
    until: int | None


def source_of(target: Target) -> Source:
    """The parts of kafka://HOST:PORT/TOPIC,TOPIC?from=WHEN&until=WHEN&config=FILE&timeout=SPAN."""
    from sinks.target import Options

    if "@" in target.location:
        raise ParameterError(f"{target.url}: user and password belong into config=FILE, not in the URL")
    brokers, _, names = target.location.partition("/")
    topics = tuple(filter(None, names.split(",")))
    if not brokers or not topics:
        raise ParameterError(f"{target.url}: which topics? Write kafka://HOST:PORT/TOPIC or .../TOPIC,TOPIC")
    if twice := {topic for topic in topics if topics.count(topic) > 1}:
        raise ParameterError(f"{target.url}: the topic {min(twice)!r} is named twice")
    options = Options(target)
    present = when.now()
    since, until = (when.instant(f"{name}=", options.text(name) or None, present) for name in ("from", "until"))
    config, timeout = options.text("config"), options.span("timeout", 10_000_000) / 1_000_000
    options.finish()
    return Source(replace(target, location=brokers), topics, config, timeout, since, until)


@contextmanager
def recorded_topics(target: Target, naming: Naming, stop: threading.Event, told: bool) -> Iterator[Recording]:
    """The records that the topics have now, as a recording, for as long as the context; `told` shows progress.

    Raises ParameterError for a topic that is not there or empty or has other values than JSON objects, SinkError where
    Kafka does not answer.
    """
    from sinks.kafka.records import Reader
    from sinks.kafka.settings import resolve

    source = source_of(target)
    if unknown := [name for name in naming.streams if name not in source.topics]:
        raise ParameterError(f"{target.url}: --stream {unknown[0]}: the topics that are read are those of the URL")
    settings = resolve(source.target, source.config)
    with tempfile.TemporaryDirectory(prefix="datagen-replay-") as folder:
        with Reader(settings, target.url, source.timeout) as reader:
            extents = reader.extents(source.topics, source.since, source.until)
            topics = _stored(reader, extents, source.topics, Path(folder), naming, stop, told)
        yield _recording(target.url, topics)


def _stored(
    reader: Reader,
    extents: Sequence[Extent],
    names: Sequence[str],
    folder: Path,
    naming: Naming,
    stop: threading.Event,
    told: bool,
) -> list[Topic]:
    from sim.delivery.replay.records import Topic

    counts = {name: sum(extent.topic == name for extent in extents) for name in names}
    topics = {name: Topic(name, counts[name], folder, naming) for name in names}
    total, last = sum(extent.end - extent.first for extent in extents), time.monotonic()
    for extent in extents:
        for part in reader.read(extent, stop):
            topics[extent.topic].add(part.partition, part.offsets, part.timestamps, part.keys, part.values)
            if told and time.monotonic() - last >= EVERY:
                last, done = time.monotonic(), sum(topic.messages for topic in topics.values())
                _tell(done, total)
    if stop.is_set():
        raise KeyboardInterrupt
    return list(topics.values())


def _tell(done: int, total: int) -> None:
    text = f"reading: {done:,} of {total:,} records"
    if logs.structured():
        logs.entry("info", "reading", text, {"records": done, "total": total})
    else:
        typer.echo(text, err=True)


def _recording(url: str, topics: Sequence[Topic]) -> Recording:
    from sim.delivery.replay.recording import Recording, bounds

    full = [topic for topic in topics if topic.messages]
    if not full:
        raise ParameterError(f"{url}: the recording is empty: there are no records to read")
    recorded = tuple(topic.recorded(rank) for rank, topic in enumerate(full))
    skipped = sum(topic.skipped for topic in topics)
    notes = (f"{url}: {skipped:,} records without a value (deletions) are left out",) if skipped else ()
    recording = Recording("-".join(topic.name for topic in full), recorded, *bounds(recorded), notes=notes)
    recording.check()
    return recording
