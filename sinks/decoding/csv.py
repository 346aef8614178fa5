"""Lines of CSV to columns: one line a message, whose cells are the columns of a schema that is known, in its order.

An empty cell is null, `""` an empty text; lists and objects stand as JSON in their cells.
"""

from __future__ import annotations

import io

import polars as pl
import pyarrow as pa

from sinks.decoding.json import Json, batch
from sinks.decoding.parts import Parser, Part, Values, salvaged
from sinks.decoding.shape import shaped

_Broken = pl.exceptions.PolarsError

_END = "\0end"
"""A column behind the others, in which every whole line has the same text: so a line that is cut off is told."""


class Csv(Parser):
    """Lines with the cells of `schema`, no fewer and no more."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._nested = {field.name: Json(pa.schema([field])) for field in schema if pa.types.is_nested(field.type)}

    def parse(self, values: Values) -> Part:
        """The lines."""
        return salvaged(values, self._in_bulk, _Broken, self._cells)

    def _in_bulk(self, values: Values) -> pa.RecordBatch:
        table = self._cells(values)
        flat = batch(table.drop(self._nested))
        columns = [
            self._objects(field.name, table) if field.name in self._nested else flat.column(field.name)
            for field in self.schema
        ]
        return shaped(pa.RecordBatch.from_arrays(columns, names=self.schema.names), self.schema)

    def _objects(self, name: str, table: pl.DataFrame) -> pa.Array:
        text = pl.concat_str(pl.lit(f'{{"{_escaped(name)}":'), pl.col(name).fill_null("null"), pl.lit("}"))
        values = table.select(text.cast(pl.Binary)).to_series().to_list()
        part = self._nested[name].parse(values)
        if len(part.places) < len(values):
            raise pl.exceptions.ComputeError(f"column {name!r} is no JSON")
        return part.data.column(name)

    def _cells(self, values: Values) -> pl.DataFrame:
        """The cells as text. Raises an error of polars where any of the lines has others than the schema."""
        names = [*self.schema.names, _END]
        if not values:
            return pl.DataFrame(schema=dict.fromkeys(self.schema.names, pl.String))
        lines = io.BytesIO(b"".join(value + b",.\n" for value in values))
        table = pl.read_csv(lines, has_header=False, schema=dict.fromkeys(names, pl.String))
        if len(table) != len(values) or not (table[_END] == ".").all(ignore_nulls=False):
            raise pl.exceptions.ComputeError("not one line each")
        return table.drop(_END)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
