"""Columns as text formats can take them: Arrow data in polars, with every type that they lack turned into text.

Instants become ISO-8601 with six decimals and a Z (those without a time zone: no Z), so that all have one length
and sort as text. Dictionary columns become text, bytes base64, times of day and durations ISO-8601. Numbers, text,
booleans, dates and decimals stay. Lists and structs are converted all the way down.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from sinks.formats.instants import texts

_INSTANT = "%Y-%m-%dT%H:%M:%S%.6f"


def frame(data: pa.RecordBatch) -> pl.DataFrame:
    """The batch as a polars frame of the same columns, instants mostly as text already; nothing else is copied."""
    arrays = [_decode(column) for column in data.columns]
    loaded = pl.from_arrow(pa.Table.from_arrays(arrays, names=data.schema.names))
    assert isinstance(loaded, pl.DataFrame)
    return loaded


def plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column `name` of type `dtype`, converted where a text format needs it."""
    return _plain(pl.col(name), dtype)


def octets(data: pa.RecordBatch, column: str) -> pa.Array:
    """One column as UTF-8 text, as the text formats write it: a large_binary array, null for null."""
    values = data.column(column)
    if pa.types.is_integer(values.type):
        return binary(pl.Series(values).cast(pl.String))
    alone = frame(data.select([column]))
    return binary(alone.select(plain(column, alone.schema[column]).cast(pl.String)).to_series())


def binary(texts: pl.Series) -> pa.Array:
    """Texts as one large_binary array."""
    return texts.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())


def _decode(column: pa.Array) -> pa.Array:
    # polars knows dictionaries of text only.
    kind = column.type
    if pa.types.is_struct(kind) and kind.num_fields:
        parts = [_decode(column.field(place)) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, [part.name for part in kind], mask=column.is_null())
    if pa.types.is_dictionary(kind) and not _is_text(kind.value_type):
        return column.dictionary_decode()
    if pa.types.is_timestamp(kind):
        found = texts(column)
        return column if found is None else found
    return column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    match dtype:
        case pl.Datetime():
            return _instant(value, dtype)
        case pl.Categorical() | pl.Enum() | pl.Null():
            return value.cast(pl.String)
        case pl.Binary():
            return value.bin.encode("base64")
        case pl.Time():
            return value.dt.strftime("%H:%M:%S%.6f")
        case pl.Duration():
            return value.dt.to_string("iso")
        case pl.Array():
            return _plain(value.arr.to_list(), pl.List(dtype.inner))
        case pl.List():
            return value if _is_plain(dtype) else value.list.eval(_plain(pl.element(), _type(dtype.inner)))
        case pl.Struct():
            return value if _is_plain(dtype) else _struct(value, dtype)
    return value


def _instant(value: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    if dtype.time_zone is None:
        return value.dt.strftime(_INSTANT)
    utc = value if dtype.time_zone == "UTC" else value.dt.convert_time_zone("UTC")
    return utc.dt.strftime(_INSTANT + "Z")


def _struct(value: pl.Expr, dtype: pl.Struct) -> pl.Expr:
    changed = [_plain(pl.field(part.name), _type(part.dtype)) for part in dtype.fields]
    return value.struct.with_fields(changed)


def _is_plain(dtype: pl.DataType) -> bool:
    match dtype:
        case pl.List():
            return _is_plain(_type(dtype.inner))
        case pl.Struct():
            return all(_is_plain(_type(part.dtype)) for part in dtype.fields)
    special = (pl.Datetime, pl.Categorical, pl.Enum, pl.Null, pl.Binary, pl.Time, pl.Duration, pl.Array)
    return not isinstance(dtype, special)


def _type(dtype: object) -> pl.DataType:
    assert isinstance(dtype, pl.DataType)
    return dtype
