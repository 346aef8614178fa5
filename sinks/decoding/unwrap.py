"""Facts out of envelopes: of a stream that is known, or of whatever somebody's messages hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch import TIME, TIME_TYPE, Stream
from sim.errors import SinkError
from sinks.decoding.shape import converted, shaped
from sinks.envelopes.debezium import CHANGE

OPS = {"c": "create", "u": "update", "d": "delete", "r": "read"}
"""What the letters of Debezium's `op` stand for."""

_FACT = "fact_id"
_PAYLOAD = "payload"


def facts(data: pa.RecordBatch, envelope: str, stream: Stream) -> pa.RecordBatch:
    """The facts of a stream out of the envelopes of that name; columns that are not in them are null."""
    if envelope == "cloudevents":
        return shaped(_members(data.column("data")), stream.schema)
    if envelope != "debezium":
        return data
    if not is_change(stream):
        return shaped(_members(data.column("after")), stream.schema)
    return shaped(_changes(data, stream), stream.schema)


def kept(data: pa.RecordBatch, envelope: str, stream: Stream) -> pa.RecordBatch:
    """Facts of a stream, with what envelopes of that name lose of them as null."""
    if envelope != "debezium" or not is_change(stream):
        return data
    own = {TIME, stream.id, stream.key, *CHANGE}
    columns = [
        column if field.name in own else pa.nulls(len(data), field.type)
        for field, column in zip(stream.schema, data.columns, strict=True)
    ]
    place = stream.schema.get_field_index("op")
    letters = pc.utf8_slice_codeunits(columns[place].cast(pa.string()), 0, 1)
    columns[place] = converted(_words(letters), stream.schema.field(place).type)
    return pa.RecordBatch.from_arrays(columns, schema=stream.schema)


def is_change(stream: Stream) -> bool:
    """Whether the facts of a stream are changes of rows themselves."""
    return set(stream.schema.names) >= CHANGE


def _changes(data: pa.RecordBatch, stream: Stream) -> pa.RecordBatch:
    source, rows = data.column("source"), {name: data.column(name) for name in ("before", "after")}
    place = rows["after"].type.get_field_index(stream.key)
    keys = [pc.struct_field(row, place) for row in rows.values()]
    columns = {
        TIME: source.field("ts_us").cast(TIME_TYPE),
        stream.id: source.field(_FACT),
        stream.key: pc.coalesce(*keys),
        "op": _words(data.column("op")),
        **rows,
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def opened(envelope: str, name: str) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What takes the contents out of anybody's envelopes; `name` is what the messages are called."""
    if envelope == "cloudevents":
        return _event
    return partial(_change, name=name) if envelope == "debezium" else lambda data: data


def _event(data: pa.RecordBatch) -> pa.RecordBatch:
    return _members(_wanted(data, "data", "a CloudEvent"))


def _change(data: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """Facts that datagen has put into envelopes, as they were; else the changes, with what their source says."""
    if "op" not in data.schema.names and _PAYLOAD in data.schema.names:
        data = _members(data.column(_PAYLOAD))
    op, after = (_wanted(data, part, "a change of Debezium's") for part in ("op", "after"))
    source = data.column("source") if "source" in data.schema.names else pa.nulls(len(data), pa.struct([]))
    if _part(source, _FACT) is not None and _part(after, TIME) is not None:
        return _members(after)
    columns = {TIME: _instants(data, source)}
    if (number := _part(source, _FACT)) is not None:
        columns[f"{name}_id"] = number
    columns |= {"op": _words(op), "before": _before(data, after.type), "after": after}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _before(data: pa.RecordBatch, kind: pa.DataType) -> pa.Array:
    return converted(data.column("before"), kind) if "before" in data.schema.names else pa.nulls(len(data), kind)


def _instants(data: pa.RecordBatch, source: pa.Array) -> pa.Array:
    """When the changes were made: as exactly as the source says it, or else when they were noticed."""
    micros, millis = _part(source, "ts_us"), _part(source, "ts_ms")
    if micros is not None:
        return micros.cast(pa.int64()).cast(TIME_TYPE)
    if millis is None:
        millis = _wanted(data, "ts_ms", "a change of Debezium's")
    return millis.cast(pa.int64()).cast(pa.timestamp("ms", "UTC")).cast(TIME_TYPE)


def _wanted(data: pa.RecordBatch, name: str, what: str) -> pa.Array:
    if name not in data.schema.names:
        raise SinkError(f"{what} has {name!r}, and these messages have {', '.join(data.schema.names) or 'nothing'}")
    return data.column(name)


def _part(values: pa.Array, name: str) -> pa.Array | None:
    """A member of structs, null where they are; None where they have no such member."""
    if not pa.types.is_struct(values.type):
        return None
    place = values.type.get_field_index(name)
    return pc.struct_field(values, place) if place >= 0 else None


def _members(values: pa.Array) -> pa.RecordBatch:
    """The members of structs as columns."""
    if not pa.types.is_struct(values.type):
        raise SinkError(f"the contents of the envelopes are {values.type}, not objects")
    columns = [pc.struct_field(values, place) for place in range(values.type.num_fields)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(values.type)))


def _words(letters: pa.Array) -> pa.Array:
    """Letters of operations as words; other text stays."""
    known = pa.array(list(OPS))
    places = pc.index_in(letters.cast(pa.string()), known)
    words = pa.array(np.array([*OPS.values()], object)).take(places)
    return pc.coalesce(words, letters.cast(pa.string()))
