"""JSON objects to columns: those that a stream has, or those that the objects have themselves."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from sinks.decoding.parts import Parser, Part, Values, empty, salvaged
from sinks.decoding.shape import shaped
from sinks.formats.columns import frame, plain

_Broken = pl.exceptions.PolarsError


class Json(Parser):
    """Objects with members of these columns, in any order and others besides; members of `further` are text."""

    def __init__(self, schema: pa.Schema, further: Sequence[str] = ()) -> None:
        known = frame(empty(schema))
        kinds = known.select([plain(name, dtype).alias(name) for name, dtype in known.schema.items()]).schema
        self._kind = pl.Struct({**kinds, **{name: pl.String() for name in further if name not in kinds}})
        own = [pa.field(name, pa.string()) for name in further if name not in kinds]
        self.schema = pa.schema([*schema, *own])

    def parse(self, values: Values) -> Part:
        """The objects."""
        return salvaged(values, self._in_bulk, _Broken, lambda some: _decoded(some, self._kind))

    def _in_bulk(self, values: Values) -> pa.RecordBatch:
        found = _decoded(values, self._kind)
        return shaped(batch(found.struct.unnest()), self.schema)


class AnyJson(Parser):
    """Objects of anybody: the columns and types are those that they have together."""

    def parse(self, values: Values) -> Part:
        """The objects."""
        return salvaged(values, _inferred, _Broken, _inferred)


def _inferred(values: Values) -> pa.RecordBatch:
    if not values:
        return empty(pa.schema([]))
    found = _decoded(values, None)
    if not isinstance(found.dtype, pl.Struct) or found.null_count():
        raise pl.exceptions.ComputeError("not objects")
    table = found.struct.unnest()
    # Whole numbers above 2^63, where they are that throughout; beside smaller ones they are text.
    wide = [name for name, kind in table.schema.items() if kind == pl.Int128]
    return batch(table.with_columns(pl.col(wide).cast(pl.UInt64)))


def _decoded(values: Values, kind: pl.DataType | None) -> pl.Series:
    found = pl.Series(values, dtype=pl.Binary).cast(pl.String).str.json_decode(kind, infer_schema_length=None)
    if len(found) != len(values):  # of an empty text the parser makes nothing at all
        raise pl.exceptions.ComputeError("not one object each")
    return found


def batch(table: pl.DataFrame) -> pa.RecordBatch:
    """A frame as a batch."""
    made = table.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    return made.to_batches()[0] if len(made) else empty(made.schema)
