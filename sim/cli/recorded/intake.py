"""Records of topics as rows of a recording: decoded, as the options of the URL say that they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from sim.delivery.replay.gathering import PAIRS
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.recording import Recorded
from sim.delivery.replay.records import Topic
from sim.delivery.replay.rows import Rows
from sim.errors import ParameterError
from sinks.decoding.decoder import FORMATS, LANGUAGES, Tables, Writing
from sinks.decoding.texts import written
from sinks.formats.json import objects

if TYPE_CHECKING:
    from sinks.decoding.parts import Ints, Part
    from sinks.kafka.records import Records
    from sinks.kafka.settings import Settings
    from sinks.target import Options

TEXT = "string"
REFUSE, SKIP = "refuse", "skip"
KEEP, DROP = "keep", "drop"


@dataclass(frozen=True, slots=True)
class Reading:
    """How values and keys of records are read (keys that are text: None), whether unreadable ones are skipped, and
    whether headers and records without a value are kept.
    """

    writing: Writing
    key: Writing | None = None
    lenient: bool = False
    headers: bool = True
    deletions: bool = False

    @classmethod
    def of(cls, options: Options, settings: Settings) -> Reading:
        """What the options of the URL say."""
        from sinks.kafka.reading import lookup_of, writing_of

        form = options.choice("key.format", (TEXT, *FORMATS), TEXT)
        lenient = options.choice("unreadable", (REFUSE, SKIP), REFUSE) == SKIP
        key = (
            None if form == TEXT else Writing(form, lookup=lookup_of(options, settings) if form in LANGUAGES else None)
        )
        headers = options.choice("headers", (KEEP, DROP), KEEP) == KEEP
        deletions = options.choice("deletions", (KEEP, DROP), DROP) == KEEP
        writing = writing_of(options, settings, key is not None and key.lookup is not None)
        return cls(writing, key, lenient, headers, deletions)

    @property
    def is_plain(self) -> bool:
        """Whether values are JSON objects with nothing around them, all of which must be readable."""
        return (self.writing.form, self.writing.envelope, self.lenient) == ("json", "plain", False)


class Intake:
    """Takes the records of one topic; `folder` holds them meanwhile."""

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming, reading: Reading) -> None:
        self.name = name
        self.unreadable = 0
        self._reading = reading
        self._json = reading.writing.form in ("json", "jsonschema")
        self._topic: Topic | Rows = (Topic if self._json else Rows)(name, partitions, folder, naming)
        self._tables = Tables(reading.writing, name.rpartition(".")[2])
        self._keys = None if reading.key is None else Tables(reading.key, "key")

    @property
    def messages(self) -> int:
        """How many have been taken."""
        return self._topic.messages

    @property
    def skipped(self) -> int:
        """How many had no value, and are left out."""
        return 0 if self._reading.deletions else self._topic.skipped

    def recorded(self, rank: int) -> Recorded:
        """All of them as a recorded stream."""
        return self._topic.recorded(rank)

    def add(self, records: Records) -> None:
        """Take some records. Raises ParameterError, which names the offset, for one that cannot be read."""
        records = replace(records, keys=self._texts(records.keys))
        headers = kept(records.headers, self._reading.writing.envelope) if records.headers else None
        gone = np.flatnonzero(np.fromiter((value is None for value in records.values), bool, len(records.values)))
        if self._reading.deletions and len(gone):
            self._topic.bury(*_at(records, gone), None if headers is None else headers.take(pa.array(gone)))
        if self._reading.is_plain and isinstance(self._topic, Topic):
            columns = (records.offsets, records.timestamps, records.keys, records.values)
            self._topic.add(records.partition, *columns, headers)
            return
        parts, unreadable, deleted = self._tables.decode(records.values)
        self._topic.skipped += len(deleted)
        self.unreadable += len(unreadable)
        if len(unreadable) and not self._reading.lenient:
            raise self._refused(records, int(unreadable[0]))
        for part in parts:
            own = None if headers is None else headers.take(pa.array(part.places))
            self._take(records, part, own)

    def _take(self, records: Records, part: Part, headers: pa.Array | None) -> None:
        columns = _at(records, part.places)
        if isinstance(self._topic, Rows):
            self._topic.add(*columns, part.data, headers)
        else:
            self._topic.add(*columns, objects(part.data).cast(pl.Binary).to_list(), headers)

    def _refused(self, records: Records, place: int) -> ParameterError:
        where = f"{records.topic}: partition {records.partition}, offset {records.offsets[place]:,}"
        value = repr(records.values[place])[:60]
        return ParameterError(
            f"{where}: {value} cannot be read as {self._reading.writing.form}; unreadable=skip leaves such out"
        )

    def _texts(self, keys: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Keys as text: those that are records with one field as what that says, others as JSON."""
        if self._keys is None:
            return keys
        found = np.array(keys, object)
        parts, _, _ = self._keys.decode(keys)
        for part in parts:
            column = part.data.column(0) if part.data.num_columns == 1 else part.data.to_struct_array()
            found[part.places] = pl.Series(written(column)).cast(pl.Binary).to_list()
        texts: list[bytes | None] = found.tolist()
        return texts


def kept(headers: Sequence[Sequence[tuple[str, bytes | None]] | None], envelope: str) -> pa.Array:
    """The headers that are records' own, null where there are none: not when they were due, nor those of envelopes."""
    dropped = {"due"} | ({"content-type"} if envelope.startswith("cloudevents") else set())
    prefix = "ce_" if envelope == "cloudevents-binary" else "\0"

    def own(pairs: Sequence[tuple[str, bytes | None]]) -> list[dict[str, str | bytes | None]] | None:
        found = [(name, value) for name, value in pairs if name not in dropped and not name.startswith(prefix)]
        return [{"name": name, "value": value} for name, value in found] or None

    return pa.array([own(pairs) if pairs else None for pairs in headers], PAIRS)


def _at(records: Records, places: Ints) -> tuple[int, Ints, Ints, list[bytes | None]]:
    """Partition, offsets, timestamps and keys of some of the records."""
    keys = [records.keys[place] for place in places.tolist()]
    return records.partition, records.offsets[places], records.timestamps[places], keys
