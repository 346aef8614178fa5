"""Facts in the form in which they are compared, whatever they were written as: Arrow data, or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import TIME, Stream
from sinks.damage import PADDING
from sinks.formats.json import Objects

_INSTANT = "%Y-%m-%dT%H:%M:%S%.fZ"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some facts of a stream, in order: `id`, `time` (int64 microseconds), `key`, `digest` and whether the message is
    much longer than the fact (`large`), and columns of numbers.

    `sequence` numbers the files or the partition that have an order among themselves; `unreadable` counts what is no
    fact of the stream. `waits` says how long each was on its way (int64 microseconds), where that is known.
    """

    rows: pl.DataFrame
    numbers: Mapping[str, pl.Series]
    sequence: int = 0
    unreadable: int = 0
    waits: pl.Series | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Columns, of the stream or not, with the instants at which each fact `arrived` and `since` which it was on its
    way; without the second that is its event time.
    """

    arrived: str | None = None
    since: str | None = None

    def waits(self, columns: Mapping[str, pl.Series], times: pl.Series) -> pl.Series | None:
        """How long facts with these event times (int64 microseconds) were on their way; null where a text is no
        instant, None where there is no such column.
        """
        if (
            self.arrived is None
            or self.arrived not in columns
            or (self.since is not None and self.since not in columns)
        ):
            return None
        return instants(columns[self.arrived]) - (times if self.since is None else instants(columns[self.since]))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(name for name in (self.arrived, self.since) if name is not None)


def of_data(
    data: pa.RecordBatch,
    stream: Stream,
    sums: Sequence[str],
    objects: Objects,
    sequence: int = 0,
    clocks: Clocks | None = None,
    unreadable: int = 0,
    sizes: NDArray[np.int64] | None = None,
) -> Chunk:
    """Facts as Arrow data; columns that the stream does not have do not count, those that are missing are null.

    `objects` are those of the stream, whose digests are kept; `sizes` are the bytes of the messages that held them.
    """
    clocks = clocks or Clocks()
    beside = {name: pl.Series(data.column(name)) for name in clocks.names if name in data.schema.names}
    data = _shaped(data, stream)
    columns = {name: pl.Series(name, data.column(name)) for name in sums}
    text = pl.Series(objects.texts(data), dtype=pl.Binary)
    rows = pl.DataFrame(
        {
            "id": pl.Series(data.column(stream.id)),
            "time": pl.Series(data.column(TIME)).to_physical(),
            "key": _texts(data.column(stream.key)),
            "digest": text.hash(),
            "large": pl.repeat(False, len(data), eager=True) if sizes is None else _large(sizes, text),
        }
    )
    numbers = {name: column.cast(pl.Float64) for name, column in columns.items()}
    return _readable(Chunk(rows, numbers, sequence, unreadable, clocks.waits(beside, rows["time"])))


def of_text(
    given: pl.DataFrame, stream: Stream, sums: Sequence[str], sequence: int = 0, clocks: Clocks | None = None
) -> Chunk:
    """Facts as text, a column each, with the same freedom."""
    missing = [pl.lit(None, pl.String).alias(name) for name in stream.schema.names if name not in given.columns]
    text = given.with_columns(missing).select(stream.schema.names)
    digest = text.select(pl.struct(pl.all()).struct.json_encode()).to_series().hash()
    rows = text.select(
        pl.col(stream.id).cast(pl.Int64, strict=False).alias("id"),
        pl.col(TIME).str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64).alias("time"),
        pl.col(stream.key).cast(pl.String).alias("key"),
    ).with_columns(digest=digest, large=pl.lit(False))
    numbers = {name: text[name].cast(pl.Float64, strict=False) for name in sums}
    clocks = clocks or Clocks()
    beside = {name: given[name] for name in clocks.names if name in given.columns}
    return _readable(Chunk(rows, numbers, sequence, waits=clocks.waits(beside, rows["time"])))


def _readable(chunk: Chunk) -> Chunk:
    """Without the rows that do not say which fact they are or when it happened."""
    sound = chunk.rows.select(pl.all_horizontal(pl.col("id", "time").is_not_null())).to_series()
    if sound.all():
        return chunk
    numbers = {name: column.filter(sound) for name, column in chunk.numbers.items()}
    waits = None if chunk.waits is None else chunk.waits.filter(sound)
    lost = chunk.unreadable + int((~sound).sum())
    return replace(chunk, rows=chunk.rows.filter(sound), numbers=numbers, unreadable=lost, waits=waits)


def _large(sizes: NDArray[np.int64], text: pl.Series) -> pl.Series:
    """Whether messages are longer than the facts that they hold need, by half of what damage adds or more."""
    return pl.Series(sizes - text.bin.size().cast(pl.Int64).to_numpy() >= PADDING // 2)


def _shaped(batch: pa.RecordBatch, stream: Stream) -> pa.RecordBatch:
    """The columns of the stream, in its types; null where the file has none."""
    present = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [
        present[column.name].cast(_plain(column.type)) if column.name in present else pa.nulls(len(batch), column.type)
        for column in stream.schema
    ]
    return pa.RecordBatch.from_arrays(columns, names=stream.schema.names)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _texts(column: pa.Array) -> pl.Series:
    return pl.Series(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).cast(pl.String)


def instants(values: pl.Series) -> pl.Series:
    """Instants as int64 microseconds; null where a text is none."""
    if values.dtype == pl.String:
        return values.str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64)
    return values.cast(pl.Datetime("us", "UTC")).to_physical()
