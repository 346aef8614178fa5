"""What Avro schemas say, in types of Arrow; of any schema, not only of those that `sinks.formats` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from sim.errors import SinkError
from sinks.formats.avro_schema import Schema
from sinks.formats.normal import LOGICAL

Names = dict[str, dict[str, Any]]

_PLAIN = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}
_LOGICAL = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "timestamp-nanos": pa.timestamp("ns", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "local-timestamp-nanos": pa.timestamp("ns"),
}
_SINGLE = frozenset({"bytes", "fixed"})
"""Types that the bulk decoder does not know."""


class Record:
    """A record type: `schema` are its columns, `wire` the same without logical types but decimals.

    `plain` is the schema of `wire` in Avro, all names in full; `bulk` says whether the bulk decoder knows all of its
    types. Raises SinkError for what is no record, and for unions of several types, which no column can be.
    """

    def __init__(self, text: str, further: Iterable[str] = ()) -> None:
        self._names: Names = {}
        self._defined: set[str] = set()
        self.bulk = True
        try:
            for other in further:
                self._note(json.loads(other), "")
            top = json.loads(text)
            self._note(top, "")
            if not isinstance(top, dict) or top.get("type") != "record":
                raise SinkError("the Avro schema is not that of a record")
            self.plain = self._plain(top, "")
            self.schema, self.wire = (pa.schema(list(self._struct(top, "", logical))) for logical in (True, False))
        except (KeyError, TypeError, ValueError) as error:
            raise SinkError(f"no Avro schema that can be read: {type(error).__name__} {error}") from None

    def _note(self, schema: Schema, space: str) -> None:
        """Remember every type that has a name."""
        if isinstance(schema, list):
            for part in schema:
                self._note(part, space)
        elif isinstance(schema, dict):
            if "name" in schema:
                full = _full(schema, space)
                self._names[full] = schema | {"namespace": full.rpartition(".")[0], "name": full.rpartition(".")[2]}
                space = full.rpartition(".")[0]
            for inner in (schema.get("items"), schema.get("values"), *(f["type"] for f in schema.get("fields", ()))):
                if inner is not None:
                    self._note(inner, space)
            if isinstance(schema["type"], dict | list):
                self._note(schema["type"], space)

    def _known(self, name: str, space: str) -> dict[str, Any]:
        """A type by its name."""
        for full in (name, f"{space}.{name}"):
            if full in self._names:
                return self._names[full]
        raise SinkError(f"the Avro schema has no type {name!r}")

    def _plain(self, schema: Schema, space: str) -> Schema:
        """The schema without what decoders may not know; each named type once, then its name."""
        if isinstance(schema, list):
            return [self._plain(part, space) for part in schema]
        if isinstance(schema, str):
            self.bulk &= schema not in _SINGLE
            return schema if schema in _PLAIN else self._named(self._known(schema, space))
        kind = schema["type"]
        if "name" in schema:
            return self._named(self._known(_full(schema, space), space))
        self.bulk &= kind not in _SINGLE
        if kind == "array":
            return {"type": "array", "items": self._plain(schema["items"], space)}
        if kind == "map":
            return {"type": "map", "values": self._plain(schema["values"], space)}
        return _decimal(schema) or self._plain(kind, space)

    def _named(self, schema: dict[str, Any]) -> Schema:
        full = _full(schema, "")
        if full in self._defined:
            return full
        self._defined.add(full)
        self.bulk &= schema["type"] not in _SINGLE
        head = {"type": schema["type"], "name": schema["name"], "namespace": schema["namespace"]}
        if schema["type"] == "record":
            fields = [
                {"name": f["name"], "type": self._plain(f["type"], schema["namespace"])} for f in schema["fields"]
            ]
            return head | {"fields": fields}
        rest = {name: schema[name] for name in ("symbols", "size") if name in schema}
        return head | rest | (_decimal(schema) or {})

    def _struct(self, schema: dict[str, Any], space: str, logical: bool, inside: tuple[str, ...] = ()) -> pa.DataType:
        full = _full(schema, space)
        if full in inside:
            raise SinkError(f"the Avro type {full!r} holds itself: there is no column like that")
        space = full.rpartition(".")[0]
        return pa.struct([self._field(part, space, logical, (*inside, full)) for part in schema["fields"]])

    def _field(self, part: dict[str, Any], space: str, logical: bool, inside: tuple[str, ...]) -> pa.Field:
        kind, nullable = self._type(part["type"], space, logical, inside)
        said = {b"description": part["doc"].encode()} if part.get("doc") else {}
        return pa.field(part["name"], kind, nullable, said | ({LOGICAL: b"uuid"} if _is_uuid(part["type"]) else {}))

    def _type(self, schema: Schema, space: str, logical: bool, inside: tuple[str, ...]) -> tuple[pa.DataType, bool]:
        if isinstance(schema, list):
            others = [part for part in schema if part != "null"]
            if len(others) > 1:
                raise SinkError(f"the Avro schema has a union of {len(others)} types, which no column can be")
            kind = self._type(others[0], space, logical, inside)[0] if others else pa.null()
            return kind, len(others) < len(schema)
        if isinstance(schema, str):
            if schema in _PLAIN:
                return _PLAIN[schema], schema == "null"
            return self._type(self._known(schema, space), space, logical, inside)
        return self._complex(schema, space, logical, inside), False

    def _complex(self, schema: dict[str, Any], space: str, logical: bool, inside: tuple[str, ...]) -> pa.DataType:
        kind = schema["type"]
        if kind == "record":
            return self._struct(schema, space, logical, inside)
        if kind in ("array", "map"):
            item, nullable = self._type(schema["items" if kind == "array" else "values"], space, logical, inside)
            if kind == "array":
                return pa.list_(pa.field("item", item, nullable))
            return pa.map_(pa.string(), pa.field("value", item, nullable))
        if _decimal(schema):
            return pa.decimal128(schema["precision"], schema.get("scale", 0))
        if kind == "enum":
            return pa.string()
        if kind == "fixed":
            return pa.binary(schema["size"])
        if logical and schema.get("logicalType") in _LOGICAL:
            return _LOGICAL[schema["logicalType"]]
        if logical and kind == "long" and schema.get("unit") == "microseconds":
            return pa.duration("us")
        return self._type(kind, space, logical, inside)[0]


def _full(schema: dict[str, Any], space: str) -> str:
    """The full name of a type with a name."""
    name, own = schema["name"], schema.get("namespace", space)
    return name if "." in name or not own else f"{own}.{name}"


def _decimal(schema: dict[str, Any]) -> dict[str, Any] | None:
    """What makes a decimal of bytes; None where it is none that Arrow has."""
    if schema.get("logicalType") != "decimal" or not 1 <= schema.get("precision", 0) <= 38:
        return None
    own = {"logicalType": "decimal", "precision": schema["precision"], "scale": schema.get("scale", 0)}
    return own if schema["type"] == "fixed" else {"type": "bytes"} | own


def _is_uuid(schema: Schema) -> bool:
    parts = schema if isinstance(schema, list) else [schema]
    return any(isinstance(part, dict) and part.get("logicalType") == "uuid" for part in parts)
