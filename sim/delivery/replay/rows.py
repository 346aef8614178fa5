"""Messages with a schema as a recording: rows that have been decoded, kept in Parquet files with one schema each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from sim.batch import TIME, TIME_TYPE
from sim.delivery.replay.clock import Clock, Times
from sim.delivery.replay.gathering import KEY, Gathered, names_of
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import Columns, Group, Shape
from sim.errors import ParameterError

_KEY, _NUMBER = "_datagen_key", "_datagen_number"
"""Columns of the files: the key of each message as text, and its number."""


class Rows(Gathered):
    """Takes the decoded messages of one topic; versions of their schema may take turns."""

    def __init__(self, name: str, partitions: int, folder: Path, naming: Naming) -> None:
        super().__init__(name, partitions, folder, naming)
        self._writers: dict[pa.Schema, parquet.ParquetWriter] = {}
        self._paths: dict[pa.Schema, Path] = {}
        self._counts: dict[pa.Schema, int] = {}

    def add(
        self, partition: int, offsets: Times, timestamps: Times, keys: Sequence[bytes | None], data: pa.RecordBatch
    ) -> None:
        """Take messages of a partition, one a row; timestamps are milliseconds.

        Raises ParameterError where a message has no time.
        """
        place = f"{self.name}: partition {partition}, offsets {offsets[0]:,} to {offsets[-1]:,}"
        names = names_of(keys)
        table = pa.Table.from_batches([data])
        self._seen.add(table, names)
        try:
            clock = self._clock(data.schema)
            times = timestamps * 1000 if clock is None else clock.times(data.column(clock.column))
        except ParameterError as error:
            raise ParameterError(f"{place}: {error}") from None
        if clock is None:
            table = table.append_column(TIME, pa.array(times).cast(TIME_TYPE))
        numbers = self._numbers(partition, offsets)
        table = table.append_column(_NUMBER, pa.array(numbers)).append_column(_KEY, names.to_arrow().cast(pa.string()))
        self._store(table.replace_schema_metadata(None), times, numbers)

    def _store(self, table: pa.Table, times: Times, numbers: Times) -> None:
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
        return Numbered(stream, clock or Clock(TIME))


class Numbered(Columns):
    """Columns as they are, with the keys and the numbers that the messages have themselves."""

    def rows(self, data: pa.RecordBatch, times: Times, numbers: Times, constants: Mapping[str, str]) -> pa.RecordBatch:
        """Cast and complete."""
        own = np.asarray(data.column(_NUMBER).to_numpy(zero_copy_only=False), np.int64)
        if self.stream.key == KEY:
            data = data.append_column(KEY, data.column(_KEY))
        return super().rows(data, times, own, constants)
