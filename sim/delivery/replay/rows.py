"""Messages with a schema as a recording: rows that have been decoded, kept in Parquet files with one schema each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from sim.batch import TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, Times
from sim.delivery.replay.gathering import KEY, Gathered, completed, names_of
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import Columns, Group, Shape
from sim.errors import ParameterError

_TIME, _KEY, _NUMBER = "_datagen_time", "_datagen_key", "_datagen_number"
"""Columns of the files: when each message happened, its key as text, and its number."""


class Rows(Gathered):
    """Takes the decoded messages of one topic; versions of their schema may take turns."""

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming) -> None:
        super().__init__(name, partitions, folder, naming)
        self._writers: dict[pa.Schema, parquet.ParquetWriter] = {}
        self._paths: dict[pa.Schema, Path] = {}
        self._counts: dict[pa.Schema, int] = {}

    def add(
        self,
        partition: int,
        offsets: Times,
        timestamps: Times,
        keys: Sequence[bytes | None],
        data: pa.RecordBatch,
        headers: pa.Array | None = None,
    ) -> None:
        """Take messages of a partition, one a row; timestamps are milliseconds, headers lists of names and values.

        Raises ParameterError where a message has no time.
        """
        names = names_of(keys)
        table = pa.Table.from_batches([data])
        self._seen.add(table, names)
        try:
            clock = self._clock(data.schema)
            times = timestamps * 1000 if clock is None else clock.times(data.column(clock.column))
        except ParameterError as error:
            place = f"{self.name}: partition {partition}, offsets {offsets[0]:,} to {offsets[-1]:,}"
            raise ParameterError(f"{place}: {error}") from None
        beside = self._beside(len(data), headers)
        self._store(table, times, self._numbers(partition, offsets), names, beside)

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
        nothing = pa.table({TIME: pa.array(timestamps * 1000).cast(TIME_TYPE)})
        self._store(nothing, timestamps * 1000, self._numbers(partition, offsets), names_of(keys), beside)

    def _store(
        self, table: pa.Table, times: Times, numbers: Times, names: pl.Series, beside: Mapping[str, pa.Array]
    ) -> None:
        own = {_TIME: pa.array(times).cast(TIME_TYPE), _KEY: names.to_arrow().cast(pa.string())}
        for name, column in {**own, _NUMBER: pa.array(numbers), **beside}.items():
            table = table if name in table.schema.names else table.append_column(name, column)
        table = table.replace_schema_metadata(None)
        order = np.argsort(times, kind="stable")
        writer, path, index = self._writer(table.schema)
        writer.write_table(table.take(pa.array(order)), row_group_size=len(table))
        first, last = int(times[order[0]]), int(times[order[-1]])
        self._groups.append(Group(path, index, first, last, len(table), table.nbytes, int(numbers.max())))
        self.messages += len(table)

    def _writer(self, schema: pa.Schema) -> tuple[parquet.ParquetWriter, Path, int]:
        """Where rows of a schema are written, and how many row groups there are in front of the next."""
        if schema not in self._writers:
            path = self._folder / f"{self.name}-{len(self._writers)}.parquet"
            self._writers[schema] = parquet.ParquetWriter(path, schema, compression="lz4", use_dictionary=False)
            self._paths[schema], self._counts[schema] = path, 0
        self._counts[schema] += 1
        return self._writers[schema], self._paths[schema], self._counts[schema] - 1

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _shape(self, rank: int) -> Shape:
        stream, clock, _ = self._described(rank, set())
        return Numbered(stream, clock)


class Numbered(Shape):
    """Columns as they are, with the times, keys and numbers that the messages have themselves."""

    def __init__(self, stream: Stream, clock: Clock | None) -> None:
        super().__init__(stream, Clock(_TIME))
        self._columns = Columns(stream, clock or Clock(TIME))

    @property
    def moving(self) -> Mapping[str, str]:
        """The column that is the clock, where it counts."""
        return self._columns.moving

    def rows(self, data: pa.RecordBatch, times: Times, numbers: Times, constants: Mapping[str, str]) -> pa.RecordBatch:
        """Cast and complete."""
        own = np.asarray(data.column(_NUMBER).to_numpy(zero_copy_only=False), np.int64)
        keys = data.column(_KEY)
        data = data.append_column(KEY, keys) if self.stream.key == KEY else data
        return completed(self._columns.rows(data, times, own, constants), self.stream, keys, own)
