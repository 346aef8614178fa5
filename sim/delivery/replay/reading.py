"""A stream's rows in Parquet files, row group by row group, each in order of time.

What is read ahead of a row group is its column of times: it says whether the rows are in order, as they mostly are, and
then the others are decoded in chunks. Rows that are not in order have to be held until the last of them is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from sim.batch import TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, Times, is_text, parsed
from sim.errors import ParameterError, SimulationError

BUFFER = 2**18
"""Bytes of a column that are read at once."""

NUMBER = "replay_id"
"""The column that numbers the rows of a stream which has no ids of its own."""

Chunk = tuple[Times, pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: where it stands, its first and last instant (microseconds), its rows, its bytes when decoded.

    `number` is the number of its first row among all rows of the stream, `constants` are columns that stand in the
    path instead of in the file.
    """

    path: Path
    index: int
    first: int
    last: int
    rows: int
    bytes: int
    number: int = 0
    constants: Mapping[str, str] = field(default_factory=dict)


class Shape(ABC):
    """How rows of files become rows of a stream."""

    def __init__(self, stream: Stream, clock: Clock) -> None:
        self.stream = stream
        self.clock = clock

    @abstractmethod
    def rows(self, data: pa.RecordBatch, times: Times, numbers: Times, constants: Mapping[str, str]) -> pa.RecordBatch:
        """The rows with the columns and types of the stream; `numbers` are theirs among all rows of the stream."""

    @property
    def moving(self) -> Mapping[str, str]:
        """Columns of whole numbers that are instants, and what they count."""
        return {}


class Columns(Shape):
    """Columns as they are, in the types of the stream, with event time and number in front where they are missing."""

    @property
    def moving(self) -> Mapping[str, str]:
        """The clock's column, where it counts."""
        column, unit = self.clock.column, self.clock.unit
        return {column: unit} if unit and column != TIME else {}

    def rows(self, data: pa.RecordBatch, times: Times, numbers: Times, constants: Mapping[str, str]) -> pa.RecordBatch:
        """Cast and complete; a column that the file does not have is null."""

        def column(wanted: pa.Field) -> pa.Array:
            name = wanted.name
            if name == TIME:
                return pa.array(times).cast(TIME_TYPE)
            if name == NUMBER and self.stream.id == NUMBER:
                return pa.array(numbers)
            if name in data.schema.names:
                found = data.column(name)
                return parsed(found, name) if _is_clock_text(found, wanted) else found.cast(wanted.type)
            if name in constants:
                return pa.repeat(constants[name], len(data)).cast(wanted.type)
            return pa.nulls(len(data), wanted.type)

        return pa.RecordBatch.from_arrays([column(f) for f in self.stream.schema], schema=self.stream.schema)


def _is_clock_text(found: pa.Array, wanted: pa.Field) -> bool:
    kind = found.type.value_type if pa.types.is_dictionary(found.type) else found.type
    return bool(pa.types.is_timestamp(wanted.type) and is_text(kind))


def read(group: Group, shape: Shape, rows: int, start: int, end: int) -> Iterator[Chunk]:
    """The rows of a group in [start, end), by time, in chunks of at most `rows`.

    Raises SimulationError where the file cannot be read (any more), or holds times that are null.
    """
    with opened(group.path) as file:
        times = column_times(file, group.index, shape.clock)
        numbers = group.number + np.arange(len(times))
        if ascending(times):
            yield from _in_order(file, group, shape, times, numbers, rows, start, end)
            return
        order = np.argsort(times, kind="stable")
        order = order[np.searchsorted(times[order], start) : np.searchsorted(times[order], end)]
        data = file.read_row_group(group.index).take(pa.array(order)).combine_chunks()
        at = 0
        for batch in data.to_batches(max_chunksize=rows):
            own = order[at : at + len(batch)]
            yield times[own], shape.rows(batch, times[own], numbers[own], group.constants)
            at += len(batch)


def _in_order(
    file: parquet.ParquetFile, group: Group, shape: Shape, times: Times, numbers: Times, rows: int, start: int, end: int
) -> Iterator[Chunk]:
    first, until = (int(np.searchsorted(times, instant)) for instant in (start, end))
    at = 0
    for batch in file.iter_batches(rows, row_groups=[group.index]):
        low, high = max(first, at), min(until, at + len(batch))
        if low < high:
            part = batch.slice(low - at, high - low)
            yield times[low:high], shape.rows(part, times[low:high], numbers[low:high], group.constants)
        at += len(batch)
        if at >= until:
            return


@contextmanager
def opened(path: Path) -> Iterator[parquet.ParquetFile]:
    """The file, for as long as the context. Raises SimulationError where it cannot be read."""
    try:
        with closing(parquet.ParquetFile(path, buffer_size=BUFFER)) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise SimulationError(f"{path}: {_reason(error)}") from None
    except ParameterError as error:
        raise SimulationError(f"{path}: {error}") from None


def column_times(file: parquet.ParquetFile, group: int, clock: Clock) -> Times:
    """The times of a row group, in the order of its rows."""
    column = file.read_row_group(group, columns=[clock.column], use_threads=False).column(0)
    parts = [clock.times(part) for part in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def ascending(times: Times) -> bool:
    """Whether none is before the one in front of it."""
    return len(times) < 2 or bool((times[1:] >= times[:-1]).all())


def ordered_parts(parts: Sequence[Chunk], stream: Stream) -> pa.RecordBatch:
    """Chunks of one stream as one batch, sorted by (event_time, id)."""
    from sim.delivery.merge import ordered

    if not parts:
        return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in stream.schema], schema=stream.schema)
    data = joined([batch for _, batch in parts])
    times = np.concatenate([times for times, _ in parts])
    ids = np.asarray(data.column(stream.id).to_numpy(zero_copy_only=False), np.int64)
    order = ordered(times, ids)
    in_order = bool((order == np.arange(len(order))).all())
    return data if in_order else data.take(pa.array(order))


def joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches one after the other, as one."""
    if len(parts) == 1:
        return parts[0]
    return pa.Table.from_batches(parts).unify_dictionaries().combine_chunks().to_batches()[0]


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0]
