"""Topics read back: the options that say how messages were written, and the facts of a run's streams.

`FactTopics.batches` is for whoever wants to look at a topic as at any other table: record batches of exactly the
columns of a stream, in its types, whatever format, envelope and registry the topic has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from sim.batch import ALWAYS, Stream
from sim.errors import ParameterError
from sinks.decoding import Decoded, Decoder
from sinks.decoding.decoder import FORMATS, LANGUAGES, Known, Tables, Writing
from sinks.envelopes import ENVELOPES
from sinks.kafka.records import Reader, Records
from sinks.kafka.schemas import Registry, patient
from sinks.kafka.settings import REGISTRY, Settings, resolve
from sinks.kafka.topics import check_template, name
from sinks.run import Run
from sinks.target import Options, Target

FOR_WRITERS = (
    "partitions",
    "replication",
    "exactly_once",
    "checkpoints",
    "key.format",
    "headers",
    "subject",
    "register",
    "references",
    "compatibility",
    "namespace",
    "enqueue",
)
"""Options of the sink that say nothing to readers: the URL of a run is one to read from, too."""

TIMEOUT = 10_000_000
"""Microseconds for which brokers and a registry may be silent, unless `timeout=` says otherwise."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Some records of a topic, and the facts in them."""

    records: Records
    decoded: Decoded


class FactTopics:
    """The topics of a run's streams: `kafka://HOST:PORT?topic=...&format=...`, with the options of the sink.

    Raises ParameterError for options that make no sense, MissingExtra where a library is missing.
    """

    def __init__(self, target: Target) -> None:
        options = Options(target)
        self._template = options.text("prefix") + options.text("topic", "{stream}")
        check_template(self._template)
        self._timeout = options.span("timeout", TIMEOUT) / 1_000_000
        self._settings = resolve(target, options.text("config"))
        self.writing = writing_of(options, self._settings)
        for option in FOR_WRITERS:
            options.text(option)
        options.finish(settings=True)
        self.url = target.url

    def decoder(self, stream: Stream, run: Run, further: Sequence[str] = ()) -> Decoder:
        """What reads the messages of a stream; `further` are columns besides its own, as text."""
        return Decoder(self.writing, stream, run, further)

    def taken(self, decoder: Decoder, run: Run, headers: bool = False) -> Iterator[Taken]:
        """The records that the topic of the decoder's stream has now, partition by partition, and their facts.

        Raises ParameterError for a topic that is not there, SinkError where Kafka or the registry does not answer.
        """
        topic = name(self._template, run.scenario, decoder.stream.name)
        with Reader(self._settings, self.url, self._timeout) as reader:
            for extent in reader.extents([topic]):
                for records in reader.read(extent, threading.Event(), headers):
                    yield Taken(records, decoder.decode(records.values, records.timestamps))

    def batches(self, stream: Stream, run: Run) -> Iterator[pa.RecordBatch]:
        """The facts that a stream's topic has now, in the stream's columns and types.

        Messages without a value, and those that are no fact of the stream, are passed over.
        """
        for taken in self.taken(self.decoder(stream, run), run):
            yield taken.decoded.data


def batches_of(writing: Writing, topic: str, stream: Stream | None = None) -> Callable[[Records], list[pa.RecordBatch]]:
    """What turns records of a topic into tables: of exactly the columns of `stream`, in its types, where that is known,
    else one table for each schema of a writer.

    Messages without a value, and those that cannot be read, are passed over. Raises ParameterError where nobody says
    what messages are made of.
    """
    if stream is None:
        tables = Tables(writing, topic.rpartition(".")[2])
        return lambda records: [part.data for part in tables.decode(records.values)[0]]
    decoder = Decoder(writing, stream, Run("", "", 0, *ALWAYS))
    return lambda records: [decoder.decode(records.values, records.timestamps).data]


def writing_of(options: Options, settings: Settings, used: bool = False) -> Writing:
    """How messages were written, by the options `format`, `envelope`, `registry` and `schema` (a file).

    `used` says that somebody else needs the registry. Raises ParameterError where they do not go together.
    """
    url = options.target.url
    form = options.choice("format", FORMATS, "json")
    envelope = options.choice("envelope", ENVELOPES, "plain")
    allowed = ENVELOPES[envelope].formats
    if allowed and form not in allowed:
        raise ParameterError(f"{url}: {envelope} is not written as {form}; formats: {', '.join(sorted(allowed))}")
    asked, file = options.text("registry"), options.text("schema")
    if form not in LANGUAGES:
        if (asked and not used) or file:
            given = "schema" if file else "registry"
            raise ParameterError(f"{url}: {given}= is given, but {form} has no schema; formats that do: {_able()}")
        return Writing(form, envelope)
    lookup = lookup_of(options, settings)
    if lookup is not None and file:
        raise ParameterError(f"{url}: registry= and schema= are both given, and messages have one or the other")
    if form == "jsonschema" and lookup is None:
        raise ParameterError(f"{url}: format=jsonschema is json with registry=URL, which is missing")
    return Writing(form, envelope, lookup, _text(file) if file else "")


def lookup_of(options: Options, settings: Settings) -> Callable[[int], Known | None] | None:
    """What finds schemas by their numbers: the registry of the option, or that of the settings; None without one."""
    url = options.text("registry") or settings.registry.get(f"{REGISTRY}url", "")
    if not url:
        return None
    timeout = options.span("timeout", TIMEOUT) / 1_000_000
    return Registry(url, settings, register=False, patience=patient(timeout)).find


def _able() -> str:
    return ", ".join(LANGUAGES)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ParameterError(f"schema={path}: {reason}") from None
