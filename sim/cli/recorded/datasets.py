"""Data sets that commands look at: folders, files and topics, open to SQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sim.cli.terminal import notices
from sim.cli.terminal.progress import EVERY
from sim.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream
    from sim.quality.dataset import Dataset
    from sinks.kafka.records import Reader, Records

    Batches = Callable[[Records], list[pa.RecordBatch]]

Tell = Callable[[str], None]


@contextmanager
def opened(
    url: str, settings: Mapping[str, str] | None = None, streams: Sequence[Stream] = (), tell: Tell | None = None
) -> Iterator[Dataset]:
    """The data set at `url`: DIR, FILE, parquet:DIR, csv:DIR, json:DIR or kafka://HOST:PORT[/TOPIC,TOPIC].

    `settings` are those of the Kafka client. Of topics, `streams` say which they are and what is in them; `tell` takes
    lines of progress. Raises ParameterError where there is nothing to look at, SinkError where Kafka does not answer.
    """
    from sim.quality.dataset import open_dataset

    if settings and not url.startswith("kafka:"):
        raise ParameterError(f"-X: {url} takes no settings, only kafka:// does")
    reading = partial(_topics, settings=settings or {}, streams=streams, tell=tell or (lambda line: None))
    with open_dataset(url, streams=streams, topics=reading) as dataset:
        yield dataset


def declared_streams(url: str, scenario: str | None, overrides: Mapping[str, str] | None = None) -> tuple[Stream, ...]:
    """The streams that a scenario declares, where only these tell which topics there are to read; else none."""
    if scenario is None or not url.startswith("kafka:"):
        return ()
    from sim.quality.declared import declared

    known = declared(None, scenario, overrides or {})
    return tuple(known.model.streams) if known else ()


def _topics(
    url: str, folder: Path, settings: Mapping[str, str], streams: Sequence[Stream], tell: Tell
) -> Mapping[str, Sequence[Path]]:
    """The values of topics: JSON objects as a file of lines for each partition, others as files in Parquet."""
    from sinks.kafka.reading import FOR_WRITERS, batches_of, writing_of
    from sinks.kafka.records import Reader
    from sinks.kafka.settings import resolve
    from sinks.target import Options, Target

    target = Target.parse(url, settings)
    brokers, _, named = target.location.partition("/")
    options = Options(target)
    template = options.text("prefix") + options.text("topic", "{stream}")
    timeout = options.span("timeout", 10_000_000) / 1_000_000
    resolved = resolve(Target(target.url, "kafka", brokers, target.options, settings), options.text("config"))
    writing = writing_of(options, resolved)
    for option in FOR_WRITERS:
        options.text(option)
    options.finish(settings=True)
    names = _named(target.url, [topic for topic in named.split(",") if topic], template, streams)
    known = {stream.name: stream for stream in streams}
    notices.show()
    with Reader(resolved, target.url, timeout) as reader:
        if (writing.form, writing.envelope) == ("json", "plain"):
            return {stream: _partitions(reader, topic, folder, tell) for stream, topic in names.items()}
        made = {stream: batches_of(writing, topic, known.get(stream)) for stream, topic in names.items()}
        return {stream: _tables(reader, topic, made[stream], folder, tell) for stream, topic in names.items()}


def _named(url: str, topics: Sequence[str], template: str, streams: Sequence[Stream]) -> dict[str, str]:
    """The topic of each stream."""
    if topics:
        return {topic: topic for topic in topics}
    if "{scenario}" in template:
        raise ParameterError(f"{url}: name the topics: kafka://HOST:PORT/TOPIC,TOPIC")
    if not streams:
        raise ParameterError(f"{url}: which topics? Name the scenario, or write kafka://HOST:PORT/TOPIC,TOPIC")
    return {stream.name: template.replace("{stream}", stream.name) for stream in streams}


def _partitions(reader: Reader, topic: str, folder: Path, tell: Tell) -> list[Path]:
    paths, stop, last, done = [], threading.Event(), time.monotonic(), 0
    with ExitStack() as stack:
        for extent in reader.extents([topic]):
            path = folder / f"{topic}-{extent.partition}.jsonl"
            output = stack.enter_context(path.open("wb"))
            for records in reader.read(extent, stop):
                # A line break can only stand between the parts of a JSON text, never inside a string.
                lines = [value.replace(b"\n", b" ") for value in records.values if value is not None]
                output.write(b"".join(line + b"\n" for line in lines))
                done += len(lines)
                if time.monotonic() - last >= EVERY:
                    last = time.monotonic()
                    tell(f"{topic}: {done:,} records read")
            if output.tell():
                paths.append(path)
    return paths


def _tables(reader: Reader, topic: str, batches: Batches, folder: Path, tell: Tell) -> list[Path]:
    """Files with the rows of each partition, one for each schema that these have."""
    from pyarrow import parquet

    paths, stop, last, done = [], threading.Event(), time.monotonic(), 0
    with ExitStack() as stack:
        for extent in reader.extents([topic]):
            writers: dict[pa.Schema, parquet.ParquetWriter] = {}
            for records in reader.read(extent, stop):
                for data in filter(len, batches(records)):
                    if data.schema not in writers:
                        paths.append(folder / f"{topic}-{extent.partition}-{len(writers)}.parquet")
                        writers[data.schema] = stack.enter_context(parquet.ParquetWriter(paths[-1], data.schema))
                    writers[data.schema].write_batch(data)
                    done += len(data)
                if time.monotonic() - last >= EVERY:
                    last = time.monotonic()
                    tell(f"{topic}: {done:,} records read")
    return paths
