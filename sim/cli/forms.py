"""Facts in the form in which they are compared, whatever they were written as: Arrow data, text, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from sim.batch import TIME, Stream
from sinks.formats.columns import frame, plain
from sinks.formats.json import objects

_INSTANT = "%Y-%m-%dT%H:%M:%S%.fZ"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some facts of a stream, in order: `id`, `time` (int64 microseconds), `key` and `digest`, and columns of numbers.

    `sequence` numbers the files or the partition that have an order among themselves; `unreadable` counts what is no
    fact of the stream. `arrived` has the instants at which they came (int64 microseconds), where a column tells them.
    """

    rows: pl.DataFrame
    numbers: Mapping[str, pl.Series]
    sequence: int = 0
    unreadable: int = 0
    arrived: pl.Series | None = None


def of_data(
    data: pa.RecordBatch, stream: Stream, sums: Sequence[str], sequence: int = 0, clock: str | None = None
) -> Chunk:
    """Facts as Arrow data; columns that the stream does not have do not count, those that are missing are null.

    `clock` names a column with the instant at which each fact came.
    """
    came = _instants(pl.Series(data.column(clock))) if clock in data.schema.names else None
    data = _shaped(data, stream)
    columns = {name: pl.Series(name, data.column(name)) for name in sums}
    rows = pl.DataFrame(
        {
            "id": pl.Series(data.column(stream.id)),
            "time": pl.Series(data.column(TIME)).to_physical(),
            "key": _texts(data.column(stream.key)),
            "digest": objects(data).hash(),
        }
    )
    return Chunk(rows, {name: column.cast(pl.Float64) for name, column in columns.items()}, sequence, arrived=came)


def of_text(
    given: pl.DataFrame, stream: Stream, sums: Sequence[str], sequence: int = 0, clock: str | None = None
) -> Chunk:
    """Facts as text, a column each, with the same freedom."""
    missing = [pl.lit(None, pl.String).alias(name) for name in stream.schema.names if name not in given.columns]
    text = given.with_columns(missing).select(stream.schema.names)
    digest = text.select(pl.struct(pl.all()).struct.json_encode()).to_series().hash()
    rows = text.select(
        pl.col(stream.id).cast(pl.Int64, strict=False).alias("id"),
        pl.col(TIME).str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64).alias("time"),
        pl.col(stream.key).cast(pl.String).alias("key"),
    ).with_columns(digest=digest)
    readable = rows.select(pl.all_horizontal(pl.col("id", "time").is_not_null())).to_series()
    numbers = {name: text[name].cast(pl.Float64, strict=False).filter(readable) for name in sums}
    came = _instants(given[clock]).filter(readable) if clock in given.columns else None
    return Chunk(rows.filter(readable), numbers, sequence, int((~readable).sum()), came)


def of_json(
    values: Sequence[bytes | None], stream: Stream, sums: Sequence[str], sequence: int = 0, clock: str | None = None
) -> Chunk:
    """Facts as JSON objects, with the same freedom."""
    shape = _Shape.of(stream, clock)
    parsed = shape.parsed([value for value in values if value is not None])
    whole = parsed.filter(pl.col(stream.id).is_not_null() & pl.col(TIME).is_not_null())
    readable = whole.select(stream.schema.names)
    times = readable[TIME].str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64)
    rows = pl.DataFrame(
        {
            "id": readable[stream.id],
            "time": times,
            "key": readable[stream.key].cast(pl.String),
            "digest": readable.select(pl.struct(pl.all()).struct.json_encode()).to_series().hash(),
        }
    )
    known = rows["time"].is_not_null()
    numbers = {name: readable[name].cast(pl.Float64).filter(known) for name in sums}
    missing = sum(value is not None for value in values) - int(known.sum())
    came = None if clock is None else _instants(whole[clock]).filter(known)
    return Chunk(rows.filter(known), numbers, sequence, missing, came)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the JSON objects of a stream are made of."""

    dtype: pl.Struct
    broken: pl.DataFrame = field(repr=False)

    @classmethod
    def of(cls, stream: Stream, clock: str | None) -> _Shape:
        nothing = [pa.nulls(0, column.type) for column in stream.schema]
        empty = frame(pa.RecordBatch.from_arrays(nothing, schema=stream.schema))
        kinds = empty.select([plain(name, dtype).alias(name) for name, dtype in empty.schema.items()]).schema
        known = {**kinds, clock: kinds.get(clock, pl.String())} if clock is not None else dict(kinds)
        return cls(pl.Struct(known), pl.DataFrame(schema=known).clear(1))

    def parsed(self, values: Sequence[bytes]) -> pl.DataFrame:
        """One row a value, all null where it is not such an object.

        What is broken is found by halving: parsers refuse a text that is broken anywhere, and mostly none is.
        """
        if not values:
            return self.broken.clear()
        try:
            text = pl.Series(values, dtype=pl.Binary).cast(pl.String)
            return text.str.json_decode(self.dtype).struct.unnest()
        except pl.exceptions.PolarsError:
            if len(values) == 1:
                return self.broken
            half = len(values) // 2
            return pl.concat([self.parsed(values[:half]), self.parsed(values[half:])])


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


def _instants(values: pl.Series) -> pl.Series:
    """Instants as int64 microseconds; null where a text is none."""
    if values.dtype == pl.String:
        return values.str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64)
    return values.cast(pl.Datetime("us", "UTC")).to_physical()
