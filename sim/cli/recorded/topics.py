"""Topics of Kafka as a recording, kept in files of a temporary folder while it is replayed."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sim.cli.terminal import logs, when
from sim.cli.terminal.progress import EVERY
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.cli.recorded.intake import Intake, Reading
    from sim.delivery.replay.naming import Naming
    from sim.delivery.replay.recording import Recording
    from sinks.kafka.records import Extent, Reader
    from sinks.kafka.settings import Settings
    from sinks.target import Target


@dataclass(frozen=True, slots=True)
class Source:
    """Which topics of which brokers, which of their records, by timestamps in microseconds, and how they are read."""

    settings: Settings
    topics: tuple[str, ...]
    timeout: float
    since: int | None
    until: int | None
    reading: Reading


def source_of(target: Target) -> Source:
    """The parts of kafka://HOST:PORT/TOPIC,TOPIC?from=WHEN&until=WHEN&config=FILE&timeout=SPAN&format=NAME..."""
    from sim.cli.recorded.intake import Reading
    from sinks.kafka.settings import resolve
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
    settings = resolve(replace(target, location=brokers), config)
    reading = Reading.of(options, settings)
    options.finish()
    if reading.writing.schema and len(topics) > 1:
        raise ParameterError(f"{target.url}: schema= is for one topic, and there are {len(topics)}")
    return Source(settings, topics, timeout, since, until, reading)


def name_of(target: Target) -> str:
    """What the recording in topics is called."""
    return "-".join(filter(None, target.location.partition("/")[2].split(",")))


@contextmanager
def recorded_topics(
    target: Target, naming: Naming, stop: threading.Event, told: bool, origin: str | None = None
) -> Iterator[Recording]:
    """The records that the topics have now, as a recording, for as long as the context; `told` shows progress.

    Those that they had when `origin` was written, where that is given, if they still have them.

    Raises ParameterError for a topic that is not there or empty or has values that cannot be read, SinkError where
    Kafka or the registry does not answer.
    """
    from sinks.kafka.records import Reader

    source = source_of(target)
    if unknown := [name for name in naming.streams if name not in source.topics]:
        raise ParameterError(f"{target.url}: --stream {unknown[0]}: the topics that are read are those of the URL")
    with tempfile.TemporaryDirectory(prefix="datagen-replay-") as folder:
        with Reader(source.settings, target.url, source.timeout) as reader:
            if origin is None:
                extents = reader.extents(source.topics, source.since, source.until)
            else:
                extents = _again(target.url, reader.extents(source.topics), origin)
            topics = _stored(reader, extents, source, Path(folder), naming, stop, told)
        yield _recording(target, topics, extents)


def _stored(
    reader: Reader,
    extents: Sequence[Extent],
    source: Source,
    folder: Path,
    naming: Naming,
    stop: threading.Event,
    told: bool,
) -> list[Intake]:
    from sim.cli.recorded.intake import Intake

    counts = {name: sum(extent.topic == name for extent in extents) for name in source.topics}
    topics = {name: Intake(name, counts[name], folder, naming, source.reading) for name in source.topics}
    total, last = sum(extent.end - extent.first for extent in extents), time.monotonic()
    for extent in extents:
        for part in reader.read(extent, stop, headers=source.reading.headers):
            topics[extent.topic].add(part)
            if told and time.monotonic() - last >= EVERY:
                last, done = time.monotonic(), sum(topic.messages for topic in topics.values())
                _tell(done, total)
    if stop.is_set():
        raise KeyboardInterrupt
    return list(topics.values())


def _tell(done: int, total: int) -> None:
    logs.say("reading", f"reading: {done:,} of {total:,} records", {"records": done, "total": total})


def _again(url: str, present: Sequence[Extent], origin: str) -> list[Extent]:
    """The extents that an earlier process has read. Raises ParameterError where records of them are gone."""
    from sinks.kafka.records import Extent

    there = {(extent.topic, extent.partition): extent for extent in present}
    wanted = [Extent(*numbers) for numbers in json.loads(origin)]
    for extent in wanted:
        now = there.get((extent.topic, extent.partition))
        if extent.first < extent.end and (now is None or now.first > extent.first or now.end < extent.end):
            has = "is gone" if now is None else f"has those from {now.first:,} on and before {now.end:,}"
            said = f"was begun with the records from {extent.first:,} on and before {extent.end:,}"
            place = f"{extent.topic}, partition {extent.partition}"
            raise ParameterError(f"{url}: --resume: the replay {said} of {place}, which {has}")
    return wanted


def _recording(target: Target, topics: Sequence[Intake], extents: Sequence[Extent]) -> Recording:
    from sim.delivery.replay.recording import Recording, bounds

    url = target.url
    full = [topic for topic in topics if topic.messages]
    if not full:
        raise ParameterError(f"{url}: the recording is empty: there are no records to read")
    recorded = tuple(topic.recorded(rank) for rank, topic in enumerate(full))
    skipped, lost = (sum(getattr(topic, name) for topic in topics) for name in ("skipped", "unreadable"))
    notes = (
        f"{url}: {skipped:,} records without a value (deletions) are left out; deletions=keep replays them"
        * bool(skipped),
        f"{url}: {lost:,} records that cannot be read are left out" * bool(lost),
    )
    origin = json.dumps([astuple(extent) for extent in extents])
    said = tuple(filter(None, notes))
    recording = Recording(name_of(target), recorded, *bounds(recorded), notes=said, origin=origin)
    recording.check()
    return recording
