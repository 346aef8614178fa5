"""What becomes a stream of the records of a topic, whatever their format: their files, their columns, keys and ids.

A topic has an order per partition only, and not by event time where facts were late. In files, with the time of each
record beside it, it is merged like any other recording, as often as it is to be played, and memory stays small. What
columns there are is known when all of it has been read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch import BESIDE, DELETED, HEADERS, TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, Times, is_text
from sim.delivery.replay.columns import Seen
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import NUMBER, Group, Shape
from sim.delivery.replay.recording import Recorded
from sim.errors import ParameterError, SimulationError

KEY = "record_key"
"""The column that holds the keys of records where no column of theirs does."""

GONE = "record_deleted"
"""The column that says of records that they have no value."""

PAIRS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))
BESIDES = (
    pa.field("record_headers", PAIRS, metadata={BESIDE: HEADERS, b"description": "the headers of the record"}),
    pa.field(GONE, pa.bool_(), metadata={BESIDE: DELETED, b"description": "the record had no value"}),
)
"""Columns that hold what stands beside the values of records, where there is any of it."""


class Gathered(ABC):
    """Takes the records of one topic and becomes a stream; `folder` holds them meanwhile.

    `name` is the stream's, `partitions` how many the topic has: record number offset * partitions + partition is
    the same whenever it is read.
    """

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming) -> None:
        self.name = name
        self.messages = self.skipped = 0
        self._folder = folder
        self._naming = naming
        self._partitions = max(1, partitions)
        self._groups: list[Group] = []
        self._seen = Seen()
        self._besides: set[str] = set()

    def recorded(self, rank: int) -> Recorded:
        """All records as a recorded stream. Raises ParameterError where a column that was named is not there."""
        self._close()
        shape = self._shape(rank)
        keys = {shape.stream.id, shape.stream.key, *self._naming.rekeyed}
        numbers = max((group.number for group in self._groups), default=0)
        largest = max([self._seen.largest.get(name, 0) for name in keys], default=0)
        return Recorded(shape, tuple(self._groups), max(largest, numbers))

    @abstractmethod
    def _close(self) -> None:
        """Finish the files."""

    @abstractmethod
    def _shape(self, rank: int) -> Shape:
        """How the files' rows become rows of the stream."""

    def _beside(self, rows: int, headers: pa.Array | None, deleted: bool = False) -> dict[str, pa.Array]:
        """What stands beside so many records, by the names of the columns."""
        found = {field.name: pa.nulls(rows, field.type) for field in BESIDES}
        if headers is not None and headers.null_count < rows:
            found["record_headers"] = headers
            self._besides.add("record_headers")
        if deleted:
            found[GONE] = pa.repeat(True, rows)
            self._besides.add(GONE)
        return found

    def _numbers(self, partition: int, offsets: Times) -> Times:
        return offsets * self._partitions + partition

    def _clock(self, schema: pa.Schema) -> Clock | None:
        """The column that says when it happened; None for the timestamps of the records."""
        text = self._naming.time or (TIME if TIME in schema.names else None)
        return None if text is None else Clock.of(text, schema, self.name)

    def _described(self, rank: int, instants: set[str]) -> tuple[Stream, Clock | None, pa.Schema]:
        """The stream, its clock, and the columns of the records; those in `instants` are text that holds instants."""
        naming, seen = self._naming, self._seen
        # A column that was null throughout could be of any type.
        values = pa.schema([c if c.type != pa.null() else c.with_type(pa.string()) for c in seen.schema])
        for column in filter(None, (naming.key, naming.id, *naming.rekeyed)):
            if column not in values.names:
                raise ParameterError(f"{self.name}: no message has {column!r} (they have {', '.join(values.names)})")
        id = naming.id or seen.id(f"{self.name.rpartition('.')[2]}_id") or NUMBER
        key = naming.key or seen.key or (KEY if seen.keyed else id)
        clock = self._clock(values)
        fields = {column.name: column for column in values}
        for name in instants | ({clock.column} if clock and is_text(values.field(clock.column).type) else set()):
            fields[name] = pa.field(name, TIME_TYPE)
        if naming.id and not pa.types.is_integer(fields[naming.id].type):
            raise ParameterError(f"{self.name}: {naming.id} is {fields[naming.id].type}; ids are whole numbers")
        own = [pa.field(NUMBER, pa.int64())] * (id == NUMBER) + [pa.field(KEY, pa.string())] * (key == KEY)
        front = [] if TIME in fields else [pa.field(TIME, TIME_TYPE)]
        if TIME in fields:
            fields[TIME] = pa.field(TIME, TIME_TYPE)
        beside = [field for field in BESIDES if field.name in self._besides and field.name not in fields]
        schema = pa.schema([*front, *own, *fields.values(), *beside])
        return Stream(self.name, schema, id, key, rank), clock, values


def completed(rows: pa.RecordBatch, stream: Stream, keys: pa.Array, numbers: Times) -> pa.RecordBatch:
    """Rows with keys and ids for records without a value, which have neither.

    Their ids are below 0, so that no record with a value has one of them.
    """
    if GONE not in rows.schema.names or not pc.any(rows.column(GONE)).as_py():
        return rows
    gone = pc.fill_null(rows.column(GONE), False)
    fillers = {stream.key: keys.filter(gone), stream.id: pa.array(-1 - numbers).filter(gone)}
    for name, filler in fillers.items():
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(place)
        try:
            column = pc.replace_with_mask(rows.column(place), gone, filler.cast(field.type))
        except pa.ArrowInvalid:
            raise SimulationError(f"{stream.name}: a record without a value has a key that is no {name}") from None
        rows = rows.set_column(place, field, column)
    return rows


def names_of(keys: Sequence[bytes | None]) -> pl.Series:
    """Keys as text; hexadecimal where they are something else."""
    try:
        return text_of(keys)
    except pl.exceptions.PolarsError:
        return pl.Series("value", keys, dtype=pl.Binary).bin.encode("hex")


def text_of(values: Sequence[bytes | None]) -> pl.Series:
    """Bytes as text. Raises PolarsError where they are none."""
    return pl.Series("value", values, dtype=pl.Binary).cast(pl.String)
