"""Messages with JSON values as a recording: put into Parquet files first, because nobody knows in which order they are.

A topic has an order per partition only, and not by event time where facts were late. In files, with the time of each
message beside it, it is merged like any other recording, as often as it is to be played, and memory stays small. What
columns there are is known when all of it has been read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from sim.batch import TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, Times, is_text
from sim.delivery.replay.columns import Seen
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import NUMBER, Columns, Group, Shape
from sim.delivery.replay.recording import Recorded
from sim.errors import ParameterError

ROWS = 65_536
"""Messages in a row group."""

KEY = "record_key"
"""The column that holds the keys of messages where no column of theirs does."""

_SCHEMA = pa.schema([(TIME, TIME_TYPE), (NUMBER, pa.int64()), ("key", pa.large_string()), ("value", pa.large_string())])


class Topic:
    """Takes the messages of one topic and becomes a stream; `folder` holds them meanwhile.

    `name` is the stream's, `partitions` how many the topic has: message number offset * partitions + partition is
    the same whenever it is read.
    """

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming) -> None:
        self.name = name
        self.messages = self.skipped = 0
        self._naming = naming
        self._partitions = max(1, partitions)
        self._path = folder / f"{name}.parquet"
        self._writer = parquet.ParquetWriter(self._path, _SCHEMA, compression="lz4", use_dictionary=False)
        self._groups: list[Group] = []
        self._seen = Seen()

    def add(
        self,
        partition: int,
        offsets: Times,
        timestamps: Times,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> None:
        """Take messages of a partition; timestamps are milliseconds. Those without a value (deletions) are counted.

        Raises ParameterError, which names the offset, for a value that is not a JSON object, or has no time.
        """
        present = np.array([value is not None for value in values], dtype=bool)
        self.skipped += int(len(present) - present.sum())
        if not present.any():
            return
        texts = self._texts(partition, offsets, values).filter(pl.Series(present))
        found = self._objects(partition, offsets[present], texts)
        names = _names(keys).filter(pl.Series(present))
        place = f"{self.name}: partition {partition}, offsets {offsets[0]:,} to {offsets[-1]:,}"
        rows = _members(found, place)
        times = self._times(rows, timestamps[present], place)
        self._seen.add(rows, names)
        self._store(times, offsets[present] * self._partitions + partition, names, texts)

    def recorded(self, rank: int) -> Recorded:
        """All messages as a recorded stream. Raises ParameterError where a column that was named is not there."""
        self._writer.close()
        shape = self._shape(rank)
        keys = {shape.stream.id, shape.stream.key, *self._naming.rekeyed}
        numbers = max((group.number for group in self._groups), default=0)
        largest = max([self._seen.largest.get(name, 0) for name in keys], default=0)
        return Recorded(shape, tuple(self._groups), max(largest, numbers))

    def _shape(self, rank: int) -> Objects:
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
        for name in seen.instants | ({clock.column} if clock and is_text(values.field(clock.column).type) else set()):
            fields[name] = pa.field(name, TIME_TYPE)
        if naming.id and not pa.types.is_integer(fields[naming.id].type):
            raise ParameterError(f"{self.name}: {naming.id} is {fields[naming.id].type}; ids are whole numbers")
        own = [pa.field(NUMBER, pa.int64())] * (id == NUMBER) + [pa.field(KEY, pa.string())] * (key == KEY)
        front = [] if TIME in fields else [pa.field(TIME, TIME_TYPE)]
        if TIME in fields:
            fields[TIME] = pa.field(TIME, TIME_TYPE)
        schema = pa.schema([*front, *own, *fields.values()])
        return Objects(Stream(self.name, schema, id, key, rank), clock, values)

    def _clock(self, schema: pa.Schema) -> Clock | None:
        """The member that says when it happened; None for the timestamps of the messages."""
        text = self._naming.time or (TIME if TIME in schema.names else None)
        return None if text is None else Clock.of(text, schema, self.name)

    def _times(self, rows: pa.Table, timestamps: Times, place: str) -> Times:
        try:
            clock = self._clock(rows.schema)
            return timestamps * 1000 if clock is None else clock.times(rows[clock.column].combine_chunks())
        except ParameterError as error:
            raise ParameterError(f"{place}: {error}") from None

    def _texts(self, partition: int, offsets: Times, values: Sequence[bytes | None]) -> pl.Series:
        try:
            return _text(values)
        except pl.exceptions.PolarsError:
            where = f"{self.name}: partition {partition}, offsets {offsets[0]:,} to {offsets[-1]:,}"
            raise ParameterError(f"{where}: a value is not UTF-8 text; what can be replayed is JSON") from None

    def _objects(self, partition: int, offsets: Times, texts: pl.Series) -> pl.Series:
        try:
            return _decoded(texts)
        except pl.exceptions.ComputeError:
            place = _first_bad(texts)
            value = str(texts[place])[:60]
            where = f"{self.name}: partition {partition}, offset {offsets[place]:,}"
            raise ParameterError(f"{where}: {value!r} is not a JSON object, which is what can be replayed") from None

    def _store(self, times: Times, numbers: Times, keys: pl.Series, texts: pl.Series) -> None:
        order = np.argsort(times, kind="stable")
        columns = [pa.array(times).cast(TIME_TYPE), pa.array(numbers), keys.to_arrow(), texts.to_arrow()]
        table = pa.table([column.cast(f.type) for column, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)
        self._writer.write_table(table.take(pa.array(order)), row_group_size=len(table))
        first, last = int(times[order[0]]), int(times[order[-1]])
        index, number = len(self._groups), int(numbers.max())
        self._groups.append(Group(self._path, index, first, last, len(table), table.nbytes, number))
        self.messages += len(table)


class Objects(Shape):
    """Rows of a topic's file as the members of the JSON objects in it."""

    def __init__(self, stream: Stream, clock: Clock | None, values: pa.Schema) -> None:
        super().__init__(stream, Clock(TIME))
        self._columns = Columns(stream, clock or Clock(TIME))
        self._type = pl.Struct(dict(pl.DataFrame(pl.from_arrow(values.empty_table())).schema))

    @property
    def moving(self) -> Mapping[str, str]:
        """The member that is the clock, where it counts."""
        return self._columns.moving

    def rows(self, data: pa.RecordBatch, times: Times, numbers: Times, constants: Mapping[str, str]) -> pa.RecordBatch:
        """Decode, and complete."""
        texts = pl.Series("value", data.column("value"))
        members = texts.str.json_decode(dtype=self._type).struct.unnest()
        table = members.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        if self.stream.key == KEY:
            table = table.append_column(KEY, data.column("key").cast(pa.string()))
        own = np.asarray(data.column(NUMBER).to_numpy(zero_copy_only=False), np.int64)
        return self._columns.rows(table.to_batches()[0], times, own, constants)


def _text(values: Sequence[bytes | None]) -> pl.Series:
    return pl.Series("value", values, dtype=pl.Binary).cast(pl.String)


def _names(keys: Sequence[bytes | None]) -> pl.Series:
    """Keys as text; hexadecimal where they are something else."""
    try:
        return _text(keys)
    except pl.exceptions.PolarsError:
        return pl.Series("value", keys, dtype=pl.Binary).bin.encode("hex")


def _decoded(texts: pl.Series) -> pl.Series:
    found = texts.str.json_decode(infer_schema_length=None)
    if not isinstance(found.dtype, pl.Struct) or found.null_count():
        raise pl.exceptions.ComputeError("not objects")
    return found


def _members(objects: pl.Series, place: str) -> pa.Table:
    """The members of objects as columns; whole numbers above 2^63 as unsigned ones."""
    frame = objects.struct.unnest()
    wide = [name for name, kind in frame.schema.items() if kind == pl.Int128]
    try:
        return frame.with_columns(pl.col(wide).cast(pl.UInt64)).to_arrow(compat_level=pl.CompatLevel.oldest())
    except (pa.ArrowInvalid, pl.exceptions.InvalidOperationError):
        raise ParameterError(f"{place}: there are whole numbers that do not fit into 64 bits") from None


def _first_bad(texts: pl.Series) -> int:
    """The first text that is not a JSON object, by halves."""
    low, high = 0, len(texts)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _decoded(texts[low:middle])
            low = middle
        except pl.exceptions.ComputeError:
            high = middle
    return low
