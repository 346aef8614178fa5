"""What the footers of Parquet files tell: columns, row groups, when these begin and end, how large ids are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from sim.delivery.replay.clock import Clock
from sim.delivery.replay.reading import NUMBER, Columns, Group, column_times, opened
from sim.delivery.replay.recording import Recorded
from sim.errors import ParameterError, SimulationError


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file: its columns and footer, and columns that stand in its path."""

    path: Path
    schema: pa.Schema
    metadata: parquet.FileMetaData
    constants: Mapping[str, str] = field(default_factory=dict)


def open_file(path: Path) -> File:
    """The file at `path`. Raises ParameterError where it cannot be read."""
    try:
        with opened(path) as file:
            return File(path, file.schema_arrow.remove_metadata(), file.metadata)
    except SimulationError as error:
        raise ParameterError(str(error)) from None


def recorded_in(shape: Columns, files: Sequence[File], keys: set[str]) -> Recorded:
    """The rows of files, the columns `keys` of which hold ids or keys. Raises ParameterError for null times."""
    groups: list[Group] = []
    largest = number = 0
    for file in files:
        columns = {file.metadata.row_group(0).column(i).path_in_schema: i for i in _range(file)}
        for index in range(file.metadata.num_row_groups):
            told = file.metadata.row_group(index)
            first, last = _ends(file, index, columns, shape.clock)
            rows, size = told.num_rows, told.total_byte_size
            groups.append(Group(file.path, index, first, last, rows, size, number, file.constants))
            number += told.num_rows
            largest = max(largest, *(_largest(file, index, columns, name) for name in keys), 0)
    kept = tuple(group for group in groups if group.rows)
    return Recorded(shape, kept, max(largest, number if shape.stream.id == NUMBER else 0))


def _range(file: File) -> range:
    return range(file.metadata.num_columns if file.metadata.num_row_groups else 0)


def _ends(file: File, index: int, columns: Mapping[str, int], clock: Clock) -> tuple[int, int]:
    """First and last instant of a row group: by its statistics, or else by looking at all of them."""
    if clock.column not in file.schema.names:
        raise ParameterError(f"{file.path}: there is no column {clock.column!r}, which other files have")
    told = file.metadata.row_group(index)
    kind = file.schema.field(clock.column).type
    if not told.num_rows:
        return 0, 0
    statistics = told.column(columns[clock.column]).statistics
    if statistics is not None and statistics.null_count:
        raise ParameterError(
            f"{file.path}: {clock.column} is null in {statistics.null_count:,} of {told.num_rows:,} rows"
        )
    if statistics is not None and statistics.has_min_max:
        found = clock.least_and_most(statistics, str(statistics.logical_type), kind)
        if found is not None:
            return found
    try:
        with opened(file.path) as opening:
            times = column_times(opening, index, clock)
    except SimulationError as error:
        raise ParameterError(str(error)) from None
    return int(times.min()), int(times.max())


def _largest(file: File, index: int, columns: Mapping[str, int], name: str) -> int:
    """The largest value of a column of whole numbers in a row group; 0 for others."""
    if name not in file.schema.names or not pa.types.is_integer(file.schema.field(name).type):
        return 0
    if not file.metadata.row_group(index).num_rows:
        return 0
    statistics = file.metadata.row_group(index).column(columns[name]).statistics
    if statistics is not None and statistics.has_min_max:
        return max(abs(int(statistics.min)), abs(int(statistics.max)))
    with opened(file.path) as opening:
        values = opening.read_row_group(index, columns=[name]).column(0)
    ends = pc.min_max(values)
    return max((abs(value) for value in ends.as_py().values() if value is not None), default=0)
