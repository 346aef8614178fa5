"""Messages of one topic to facts: unframed, read by the schema of their writer, taken out of their envelopes.

`Decoder.decode` is for a stream that is known: it gives record batches of exactly its columns, in its types and in
the order of the messages, whatever the format, and so is what checks of topics are built on. `Tables.decode` is for
topics of anybody: it gives what the writers' schemas say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from sim.batch import TIME, Stream
from sim.errors import ParameterError, SinkError
from sinks.decoding.framing import Framed, unframed
from sinks.decoding.json import AnyJson, Json
from sinks.decoding.parts import Decoded, Ints, Parser, Part, joined
from sinks.decoding.shape import shaped
from sinks.decoding.unwrap import facts, kept, opened
from sinks.envelopes import ENVELOPES
from sinks.formats.lists import is_flat, repeatable
from sinks.formats.protobuf_schema import wire_type
from sinks.formats.versions import versions
from sinks.formats.wire import Wire
from sinks.run import Run

FORMATS = ("json", "avro", "protobuf", "jsonschema", "csv")
"""Formats that can be read back."""

LANGUAGES = {"avro": "AVRO", "protobuf": "PROTOBUF", "jsonschema": "JSON"}
"""What registries call those that have a schema."""

_BARE = -1


@dataclass(frozen=True, slots=True)
class Known:
    """A schema that a registry has: its language, its text, and the texts that it refers to, by their names."""

    language: str
    text: str
    further: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writing:
    """How messages were written: format and envelope by name; `lookup` finds a registry's schema by its number, None
    where it has none, and is missing where messages are bare; `schema` is the text of theirs then, if it is known.
    """

    form: str = "json"
    envelope: str = "plain"
    lookup: Callable[[int], Known | None] | None = None
    schema: str = ""


class Decoder:
    """Messages of one known stream to its facts; `further` are columns besides, as text."""

    def __init__(self, writing: Writing, stream: Stream, run: Run, further: Iterable[str] = ()) -> None:
        own = [pa.field(name, pa.string()) for name in further if name not in stream.schema.names]
        self.stream = replace(stream, schema=pa.schema([*stream.schema, *own]))
        self._writing = writing
        self._envelope = ENVELOPES[writing.envelope](self.stream, run, "datagen")
        self._parsers = _Parsers(writing)
        self._bare = _bare(writing, stream, run)

    def decode(self, values: Sequence[bytes | None], stamps: Ints | None = None) -> Decoded:
        """The facts in the messages; `stamps` are the messages' timestamps in milliseconds, int64[n].

        Raises SinkError where the registry does not answer, or a schema is of another nature than the stream.
        """
        present, deleted = _present(values)
        groups = _groups(self._writing, values, present)
        parts: list[Part] = []
        for group in groups:
            for parser, own in self._readers(group, stamps):
                part = parser.parse(own.values).at(own.places)
                parts.append(Part(self._facts(part.data), part.places))
        if not parts:
            parts.append(Part(self._nothing(), np.empty(0, np.int64)))
        whole = joined(parts, self.stream.schema)
        whole = whole.only(_valid(whole.data, self.stream.id) & _valid(whole.data, TIME))
        return Decoded(whole.data, whole.places, np.setdiff1d(present, whole.places), deleted)

    def as_read(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """Facts as they would come back: what the format or the envelope has no place for is null, or gone."""
        data = kept(data, self._writing.envelope, self.stream)
        if self._writing.form != "protobuf" or all(map(is_flat, data.schema.types)):
            return data
        lists = [repeatable(column) for column in Wire(self.stream, wire_type).arrays(data)]
        return shaped(pa.RecordBatch.from_arrays(lists, names=data.schema.names), data.schema)

    def _facts(self, data: pa.RecordBatch) -> pa.RecordBatch:
        return facts(shaped(data, self._envelope.stream.schema), self._writing.envelope, self.stream)

    def _nothing(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in self.stream.schema], schema=self.stream.schema)

    def _readers(self, group: Framed, stamps: Ints | None) -> list[tuple[Parser, Framed]]:
        """What can read a group of messages; bare ones are divided by the versions of the stream."""
        if group.number != _BARE or self._bare is None:
            found = self._parsers.find(group.number, group.path, self._envelope.stream.schema)
            return [] if found is None else [(found, group)]
        edges = np.array([start for start, _ in self._bare[1:]], np.int64)
        times = np.zeros(len(group.places), np.int64) if stamps is None else stamps[group.places] * 1000
        which = np.searchsorted(edges, times, side="right")
        readers = []
        for number in np.unique(which).tolist():
            rows = np.flatnonzero(which == number)
            own = replace(group, places=group.places[rows], values=[group.values[row] for row in rows.tolist()])
            readers.append((self._bare[number][1], own))
        return readers


class Tables:
    """Messages of anybody to tables, with the columns that their writers' schemas, or the objects themselves, have.

    `name` is what they are called. Raises ParameterError where nobody says what bare messages are made of.
    """

    def __init__(self, writing: Writing, name: str) -> None:
        if writing.form in ("avro", "protobuf") and writing.lookup is None and not writing.schema:
            text = "messages without a registry's number do not say what they are made of"
            raise ParameterError(f"format={writing.form}: {text}: give registry=URL or schema=FILE")
        if writing.form == "csv":
            text = "lines do not say which columns they have; verify and check know them from the scenario"
            raise ParameterError(f"format=csv: {text}")
        self._writing = writing
        self._parsers = _Parsers(writing)
        self._opened = opened(writing.envelope, name)

    def decode(self, values: Sequence[bytes | None]) -> tuple[list[Part], Ints, Ints]:
        """One part for each schema, the places of the messages that are unreadable, and of those without a value."""
        present, deleted = _present(values)
        groups = _groups(self._writing, values, present)
        parts = []
        for group in groups:
            parser = self._parsers.find(group.number, group.path, None)
            part = None if parser is None else parser.parse(group.values).at(group.places)
            if part is not None and len(part.places):
                parts.append(Part(self._opened(part.data), part.places))
        read = np.concatenate([np.empty(0, np.int64), *(part.places for part in parts)])
        return parts, np.setdiff1d(present, read), deleted


class _Parsers:
    """Parsers by the numbers of schemas, each made once."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._made: dict[tuple[int, tuple[int, ...]], Parser | None] = {}

    def find(self, number: int, path: tuple[int, ...], schema: pa.Schema | None) -> Parser | None:
        """The parser of messages of that number; None where nobody knows it. JSON is read as `schema` says."""
        if (number, path) not in self._made:
            self._made[number, path] = self._make(number, path, schema)
        return self._made[number, path]

    def _make(self, number: int, path: tuple[int, ...], schema: pa.Schema | None) -> Parser | None:
        writing = self._writing
        known = Known(LANGUAGES.get(writing.form, ""), writing.schema)
        if number != _BARE:
            assert writing.lookup is not None
            found = writing.lookup(number)
            if found is None:
                return None
            known = found
        if known.language != LANGUAGES.get(writing.form, ""):
            raise SinkError(f"schema {number} is of the language {known.language}, and format={writing.form}")
        if writing.form in ("json", "jsonschema"):
            return AnyJson() if schema is None else Json(schema)
        try:
            return _parser(writing.form, known, path)
        except SinkError as error:
            raise SinkError(f"schema {number}: {error}" if number != _BARE else str(error)) from None


def _parser(form: str, known: Known, path: tuple[int, ...]) -> Parser:
    if form == "avro":
        from sinks.decoding.avro import Avro

        return Avro(known.text, known.further.values())
    from sinks.decoding.proto_file import compiled, message_at
    from sinks.decoding.protobuf import Protobuf

    return Protobuf(message_at(compiled(known.text, known.further), path or (0,)))


def _bare(writing: Writing, stream: Stream, run: Run) -> list[tuple[int, Parser]] | None:
    """Parsers by the instants from which on messages without a number are so; None where they need none."""
    if writing.lookup is not None or writing.form not in ("avro", "protobuf", "csv"):
        return None
    kind = ENVELOPES[writing.envelope]
    if writing.form == "csv":
        from sinks.decoding.csv import Csv

        return [(start, Csv(own.schema)) for start, own in versions(stream, run.start, run.end)]
    if writing.form == "protobuf":
        from sinks.decoding.protobuf import Protobuf
        from sinks.formats.protobuf import Protobuf as Format

        # Fields have numbers, the same in every version: who knows them all can read each.
        return [(run.start, Protobuf(Format(kind(stream, run, "datagen").stream).descriptor))]
    from sinks.decoding.avro import Avro
    from sinks.formats.avro import Avro as Records

    made = [(start, kind(own, run, "datagen").stream) for start, own in versions(stream, run.start, run.end)]
    return [(start, Avro(Records(own).schema)) for start, own in made]


def _present(values: Sequence[bytes | None]) -> tuple[Ints, Ints]:
    there = np.fromiter((value is not None for value in values), bool, len(values))
    return np.flatnonzero(there), np.flatnonzero(~there)


def _groups(writing: Writing, values: Sequence[bytes | None], present: Ints) -> list[Framed]:
    """The messages that have a value, by their schemas; those that do not begin as they should are left out."""
    own = [value for value in values if value is not None]
    if writing.lookup is None:
        return [Framed(_BARE, (), present, own)] if own else []
    groups = unframed(own, nested=writing.form == "protobuf")
    return [replace(group, places=present[group.places]) for group in groups]


def _valid(data: pa.RecordBatch, column: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = data.column(column).is_valid().to_numpy(zero_copy_only=False)
    return found
