"""Columns in the types of a stream, whatever a format has made of them: the way back from `sinks.formats`.

Formats have fewer types than streams, and stricter names. Columns are found by their names, or by what `legal_names`
makes of these; one that is not there is null. Text becomes instants, dates, spans and bytes again, text that repeats
dictionaries; the message around a list inside a list goes.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from sim.errors import SinkError
from sinks.decoding import texts
from sinks.formats.normal import legal_names
from sinks.formats.protobuf_schema import VALUES
from sinks.formats.wire import unrolled


def shaped(data: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of `schema`, in its types. Raises SinkError, with the column, where one is of another nature."""
    arrays = []
    present = dict(zip(data.schema.names, data.columns, strict=True))
    for field, legal in zip(schema, legal_names(schema.names), strict=True):
        column = present.get(field.name, present.get(legal))
        try:
            arrays.append(pa.nulls(len(data), field.type) if column is None else converted(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            reason = str(error).splitlines()[0]
            raise SinkError(f"column {field.name!r} cannot be read as {field.type}: {reason}") from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def converted(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values in the type `kind`; whatever finer units of time say more is cut off."""
    types = pa.types
    if column.type == kind:
        return column
    if types.is_null(column.type):
        return pa.nulls(len(column), kind)
    if types.is_dictionary(column.type):
        return converted(column.dictionary_decode(), kind)
    if types.is_dictionary(kind):
        return converted(column, kind.value_type).dictionary_encode().cast(kind)
    if types.is_struct(kind) and types.is_struct(column.type):
        return _struct(column, kind)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list(column, kind)
    if types.is_string(column.type) or types.is_large_string(column.type):
        return column.cast(kind) if _is_text(kind) else texts.values(column.cast(pa.string()), kind)
    return texts.written(column).cast(kind) if _is_text(kind) else _scalar(column, kind)


def _scalar(column: pa.Array, kind: pa.DataType) -> pa.Array:
    # A number that does not fit is refused; a finer unit of time is cut off.
    safe = not (pa.types.is_temporal(kind) or pa.types.is_floating(kind))
    return column.cast(kind, safe=safe)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _struct(column: pa.Array, kind: pa.DataType) -> pa.Array:
    places = {part.name: place for place, part in enumerate(column.type)}
    parts = []
    for part, legal in zip(kind, legal_names(part.name for part in kind), strict=True):
        place = places.get(part.name, places.get(legal))
        own = pa.nulls(len(column), part.type) if place is None else column.field(place)
        parts.append(converted(own, part.type))
    return pa.StructArray.from_arrays(parts, fields=list(kind), mask=pc.is_null(column))


def _list(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    offsets, items = unrolled(column)
    inner = kind.value_type
    if pa.types.is_nested(inner) and not pa.types.is_struct(inner) and pa.types.is_struct(items.type):
        items = _unpacked(items)
    made = converted(items, inner)
    plain = pa.list_(kind.value_field)
    whole = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), made, type=plain, mask=pc.is_null(column))
    return whole if kind == plain else whole.cast(kind)


def _unpacked(items: pa.Array) -> pa.Array:
    """Lists out of the messages that hold them."""
    if items.type.num_fields == 1 and items.type.field(0).name == VALUES:
        return items.field(0)
    return items
