"""Avro schemas of streams, from their Arrow schemas.

A column that may be null is a union of null and its type, with null as the default, so that columns can come and go
without breaking readers. Types that Avro lacks are logical types; text that repeats is `string`, not `enum`, because an
enum's list of symbols would change with the scenario, and readers break on symbols that they do not know.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sinks.formats.normal import LOGICAL, RECORD, description, legal_names, said, type_name

Schema = dict[str, Any] | list[Any] | str
"""An Avro schema as the JSON that it is."""

_PLAIN: dict[pa.DataType, Schema] = {
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.date32(): {"type": "int", "logicalType": "date"},
    pa.time64("us"): {"type": "long", "logicalType": "time-micros"},
    pa.timestamp("us"): {"type": "long", "logicalType": "local-timestamp-micros"},
    pa.timestamp("us", "UTC"): {"type": "long", "logicalType": "timestamp-micros"},
    # No logical type of Avro is a span of time in microseconds; its `duration` is months, days and milliseconds.
    pa.duration("us"): {"type": "long", "unit": "microseconds"},
}


def record(schema: pa.Schema, name: str, namespace: str, doc: str = "") -> dict[str, Any]:
    """The record type of facts with the columns of `schema`, all of normal types; `doc` says what they are."""
    return _Records().make(list(schema), name, namespace, doc)


class _Records:
    """Remembers which records are defined: Avro wants each once, and its name where it comes again."""

    def __init__(self) -> None:
        self._defined: set[str] = set()

    def make(self, fields: list[pa.Field], name: str, namespace: str, doc: str = "") -> dict[str, Any]:
        inner = f"{namespace}.{name}"
        parts = zip(fields, legal_names(field.name for field in fields), strict=True)
        head = {"type": "record", "name": name, "namespace": namespace}
        return head | ({"doc": doc} if doc else {}) | {"fields": [self._field(*part, inner) for part in parts]}

    def _field(self, field: pa.Field, name: str, place: str) -> dict[str, Any]:
        doc = {"doc": text} if (text := description(field)) else {}
        kind = self._type(field, place)
        if not field.nullable:
            return {"name": name, "type": kind} | doc
        return {"name": name, "type": ["null", kind], "default": None} | doc

    def _type(self, field: pa.Field, place: str) -> Schema:
        kind = field.type
        if pa.types.is_struct(kind):
            return self._struct(field, place)
        if pa.types.is_list(kind):
            # An item has no name of its own: its type is named after the column.
            item = kind.value_field
            own = self._type(item.with_name(field.name), place)
            return {"type": "array", "items": ["null", own] if item.nullable else own}
        if pa.types.is_decimal(kind):
            return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
        if said(field, LOGICAL) == "uuid":
            return {"type": "string", "logicalType": "uuid"}
        return _PLAIN[kind]

    def _struct(self, field: pa.Field, place: str) -> Schema:
        given = said(field, RECORD)
        name = given or type_name(field.name)
        if given and f"{place}.{name}" in self._defined:
            return f"{place}.{name}"
        while f"{place}.{name}" in self._defined:
            name += "_"
        self._defined.add(f"{place}.{name}")
        return self.make(list(field.type), name, place)


def wire(schema: Schema) -> Schema:
    """The same bytes as `schema`, said in the types that encoders are sure to know: numbers instead of instants."""
    if isinstance(schema, list):
        return [wire(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("logicalType") == "decimal":
        return schema
    match schema["type"]:
        case "record":
            fields = [{"name": part["name"], "type": wire(part["type"])} for part in schema["fields"]]
            return {"type": "record", "name": schema["name"], "namespace": schema["namespace"], "fields": fields}
        case "array":
            return {"type": "array", "items": wire(schema["items"])}
        case plain:
            return str(plain)


def wire_type(kind: pa.DataType) -> pa.DataType:
    """The type, made of numbers, text and bytes alone, in which values of the normal type `kind` are encoded."""
    if pa.types.is_struct(kind):
        return pa.struct([part.with_type(wire_type(part.type)) for part in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(wire_type(kind.value_type)))
    if pa.types.is_date(kind):
        return pa.int32()
    return pa.int64() if pa.types.is_temporal(kind) else kind


def is_wide(kind: pa.DataType) -> bool:
    """Whether `kind` holds bytes or decimals, which not every encoder knows."""
    if pa.types.is_struct(kind):
        return any(is_wide(part.type) for part in kind)
    if pa.types.is_list(kind):
        return is_wide(kind.value_type)
    return bool(pa.types.is_binary(kind) or pa.types.is_decimal(kind))
