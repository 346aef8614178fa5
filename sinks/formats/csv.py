"""CSV: a line a fact, cells in the order of the columns.

Null, NaN and the infinities are empty cells, an empty text is `""`. Lists and structs stand as JSON text in their cell.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from sinks.formats.columns import binary, frame, plain
from sinks.formats.format import Format


class Csv(Format):
    """One CSV line a message, without header and line end; line ends inside a quoted cell stay."""

    name = "csv"
    content_type = "text/csv"

    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The message of each row of `data`, in order."""
        return _lines(data).cast(pl.Binary).to_list()

    def values(self, data: pa.RecordBatch) -> pa.Array:
        """The same messages as one large_binary array."""
        return binary(_lines(data))


def _lines(data: pa.RecordBatch) -> pl.Series:
    table = cells(data)
    line = pl.concat_str([_quoted(name, dtype) for name, dtype in table.schema.items()], separator=",")
    return table.select(line).to_series()


def cells(data: pa.RecordBatch) -> pl.DataFrame:
    """The facts as a frame of flat columns, which polars can write as CSV."""
    loaded = frame(data)
    return loaded.select([_cell(name, dtype).alias(name) for name, dtype in loaded.schema.items()])


def heading(names: Iterable[str]) -> bytes:
    """The header of a table with these columns, with its line end."""
    quoted = ('"' + name.replace('"', '""') + '"' if set(name) & set(',"\r\n') else name for name in names)
    return ",".join(quoted).encode() + b"\n"


def _cell(name: str, dtype: pl.DataType) -> pl.Expr:
    value = plain(name, dtype)
    if dtype.is_float():
        return pl.when(value.is_finite()).then(value)
    if dtype.is_nested():
        text = pl.struct(value.alias("v")).struct.json_encode()
        # What stands between {"v": and the closing brace.
        return pl.when(pl.col(name).is_not_null()).then(text.str.slice(5).str.head(-1))
    return value


def _quoted(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name).cast(pl.String)
    if dtype == pl.String:
        doubled = '"' + value.str.replace_all('"', '""', literal=True) + '"'
        value = pl.when(value.str.contains('[",\r\n]') | (value == "")).then(doubled).otherwise(value)
    return value.fill_null("")
