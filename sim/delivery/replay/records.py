"""Messages with JSON values as a recording: kept as text, because their columns are known when all have been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from sim.batch import TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, Times
from sim.delivery.replay.gathering import BESIDES, KEY, Gathered, completed, names_of, text_of
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import NUMBER, Columns, Group, Shape
from sim.errors import ParameterError

ROWS = 65_536
"""Messages in a row group."""

_SCHEMA = pa.schema(
    [(TIME, TIME_TYPE), (NUMBER, pa.int64()), ("key", pa.large_string()), ("value", pa.large_string()), *BESIDES]
)


class Topic(Gathered):
    """Takes the messages of one topic, whose values are JSON objects."""

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming) -> None:
        super().__init__(name, partitions, folder, naming)
        self._path = folder / f"{name}.parquet"
        self._writer = parquet.ParquetWriter(self._path, _SCHEMA, compression="lz4", use_dictionary=False)

    def add(
        self,
        partition: int,
        offsets: Times,
        timestamps: Times,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: pa.Array | None = None,
    ) -> None:
        """Take messages of a partition; timestamps are milliseconds, headers lists of names and values.

        Those without a value (deletions) are counted.

        Raises ParameterError, which names the offset, for a value that is not a JSON object, or has no time.
        """
        present = np.array([value is not None for value in values], dtype=bool)
        self.skipped += int(len(present) - present.sum())
        if not present.any():
            return
        texts = self._texts(partition, offsets, values).filter(pl.Series(present))
        found = self._objects(partition, offsets[present], texts)
        names = names_of(keys).filter(pl.Series(present))
        place = f"{self.name}: partition {partition}, offsets {offsets[0]:,} to {offsets[-1]:,}"
        rows = _members(found, place)
        times = self._times(rows, timestamps[present], place)
        self._seen.add(rows, names)
        beside = self._beside(len(texts), None if headers is None else headers.filter(pa.array(present)))
        self._store(times, self._numbers(partition, offsets[present]), names, texts, beside)

    def bury(
        self,
        partition: int,
        offsets: Times,
        timestamps: Times,
        keys: Sequence[bytes | None],
        headers: pa.Array | None = None,
    ) -> None:
        """Take messages without a value: they happened when they were sent."""
        beside = self._beside(len(offsets), headers, deleted=True)
        nothing = pl.Series("value", [None] * len(offsets), dtype=pl.String)
        self._store(timestamps * 1000, self._numbers(partition, offsets), names_of(keys), nothing, beside)

    def _close(self) -> None:
        self._writer.close()

    def _shape(self, rank: int) -> Shape:
        return Objects(*self._described(rank, self._seen.instants))

    def _times(self, rows: pa.Table, timestamps: Times, place: str) -> Times:
        try:
            clock = self._clock(rows.schema)
            return timestamps * 1000 if clock is None else clock.times(rows[clock.column].combine_chunks())
        except ParameterError as error:
            raise ParameterError(f"{place}: {error}") from None

    def _texts(self, partition: int, offsets: Times, values: Sequence[bytes | None]) -> pl.Series:
        try:
            return text_of(values)
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

    def _store(
        self, times: Times, numbers: Times, keys: pl.Series, texts: pl.Series, beside: Mapping[str, pa.Array]
    ) -> None:
        order = np.argsort(times, kind="stable")
        own = [pa.array(times).cast(TIME_TYPE), pa.array(numbers), keys.to_arrow(), texts.to_arrow()]
        columns = [*own, *(beside[field.name] for field in BESIDES)]
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
        for field in BESIDES:
            if field.name not in table.schema.names:
                table = table.append_column(field.name, data.column(field.name))
        rows = self._columns.rows(table.to_batches()[0], times, own, constants)
        return completed(rows, self.stream, data.column("key"), own)


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
