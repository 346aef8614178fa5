"""Facts in the few types that formats with a schema know.

Such a format says once what a column is, so the many types of Arrow are brought to a handful first: one width of
whole numbers where 32 bits do, one unit of time (microseconds), text instead of dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Stream
from sim.errors import ParameterError, SinkError
from sinks.formats.format import NAMESPACE

LOGICAL = b"logical"
"""Key of a field's metadata: what the text of a column is, `uuid` for one."""

RECORD = b"record"
"""Key of a field's metadata: the name of the type of a struct column, where the column's own name does not do."""

_NAMESPACE = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?", re.ASCII)
_ILLEGAL = re.compile(r"\W", re.ASCII)
_WIDE = pa.decimal128(20, 0)
"""Unsigned numbers of 64 bits: wider than what the formats have."""


def normal(kind: pa.DataType) -> pa.DataType:
    """The type that values of type `kind` get. Raises SinkError where there is none."""
    types = pa.types
    if types.is_dictionary(kind):
        return normal(kind.value_type)
    if types.is_struct(kind):
        return pa.struct([_field(part) for part in kind])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field))
    if types.is_integer(kind):
        return _WIDE if kind == pa.uint64() else pa.int32() if _is_small(kind) else pa.int64()
    if types.is_floating(kind):
        return pa.float64() if kind.bit_width == 64 else pa.float32()
    if types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale) if kind.precision <= 38 else kind
    return _scalar(kind)


def _scalar(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_boolean(kind):
        return kind
    if types.is_timestamp(kind):
        return pa.timestamp("us") if kind.tz is None else TIME_TYPE
    for member, target in (
        (types.is_date, pa.date32()),
        (types.is_time, pa.time64("us")),
        (types.is_duration, pa.duration("us")),
    ):
        if member(kind):
            return target
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return pa.string()
    raise SinkError(f"values of type {kind} have no place in a format with a schema")


def _is_small(kind: pa.DataType) -> bool:
    return bool(kind.bit_width < 32 or kind == pa.int32())


def _field(field: pa.Field) -> pa.Field:
    return field.with_type(normal(field.type))


def always(stream: Stream) -> list[str]:
    """The columns that are null in no fact: the id, the event time and what the schema says."""
    return [field.name for field in stream.schema if field.name in (stream.id, TIME) or not field.nullable]


def normal_schema(stream: Stream) -> pa.Schema:
    """The stream's columns in normal types, nullable but for those of `always`."""
    known = always(stream)
    return pa.schema([_field(field).with_nullable(field.name not in known) for field in stream.schema])


def legal(name: str, taken: Iterable[str] = ()) -> str:
    """`name` as a name that all formats take: letters, digits and underscores, not one of `taken`."""
    text = _ILLEGAL.sub("_", name) or "_"
    text = f"_{text}" if text[0].isdigit() else text
    while text in taken:
        text += "_"
    return text


def check_namespace(text: str) -> str:
    """`text`, if it can be a namespace or is empty. Raises ParameterError otherwise."""
    if not _NAMESPACE.fullmatch(text):
        raise ParameterError(f"namespace: {text!r} must be names joined by dots")
    return text


def namespace_of(scenario: str) -> str:
    """The namespace of the types of a scenario's streams, where nothing else is said."""
    return f"{NAMESPACE}.{legal(scenario)}"


def legal_names(names: Iterable[str]) -> list[str]:
    """Legal names for the fields of one record, in order, no two alike."""
    found: list[str] = []
    for name in names:
        found.append(legal(name, found))
    return found


def type_name(name: str, taken: Iterable[str] = ()) -> str:
    """The name of the type of what is called `name`: customer_lifecycle is a CustomerLifecycle."""
    return legal("".join(part[:1].upper() + part[1:] for part in legal(name).split("_")), taken)


def said(field: pa.Field, key: bytes) -> str:
    """What the field's metadata says under `key`; nothing where it says nothing."""
    metadata: Mapping[bytes, bytes] = field.metadata or {}
    return metadata.get(key, b"").decode()


def description(field: pa.Field) -> str:
    """What the scenario says of the column."""
    return said(field, b"description")
