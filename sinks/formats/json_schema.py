"""JSON with a schema: the objects of the format `json`, described by JSON Schema (draft 7) for a registry.

Only what every fact has is required, and no other members are allowed: so a column may be added or dropped, and
a registry still finds the schemas compatible.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sinks.formats.format import NAMESPACE
from sinks.formats.json import Json
from sinks.formats.normal import LOGICAL, always, description, said, type_name
from sinks.formats.pieces import Piece, Taken

if TYPE_CHECKING:
    from sim.batch import Stream

DRAFT = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]


class JsonSchema(Json):
    """One JSON object a message, whose members a schema describes."""

    name = "jsonschema"
    language = "JSON"

    def __init__(self, stream: Stream, namespace: str = NAMESPACE) -> None:
        super().__init__(stream, namespace)
        body = members(list(stream.schema), frozenset(always(stream)))
        about = {"description": stream.description} if stream.description else {}
        self._schema = {"$schema": DRAFT, "title": self.full_name} | about | body

    @property
    def schema(self) -> str:
        """The schema, as JSON."""
        return json.dumps(self._schema)

    @property
    def full_name(self) -> str:
        """Namespace and name of the objects; the schema's title."""
        return f"{self.namespace}.{type_name(self.stream.name)}"

    @property
    def pieces(self) -> list[Piece]:
        """The schema and those of the objects inside it."""
        taken = Taken()
        top = _members_apart(self._schema, self.full_name, taken)
        return taken.whole(self.full_name, top)


def members(fields: list[pa.Field], always: frozenset[str] = frozenset()) -> Schema:
    """The schema of objects with these members, of which those in `always` are in every object and not null."""
    required = [field.name for field in fields if field.name in always]
    found = {"type": "object", "properties": {field.name: _member(field, field.name in always) for field in fields}}
    return found | ({"required": required} if required else {}) | {"additionalProperties": False}


def _member(field: pa.Field, always: bool) -> Schema:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    found = _schema(kind) | ({"format": "uuid"} if said(field, LOGICAL) == "uuid" else {})
    if not always:
        found["type"] = [found["type"], "null"]
    text = description(field)
    return found | ({"description": text} if text else {})


def _schema(kind: pa.DataType) -> Schema:
    types = pa.types
    if types.is_struct(kind):
        return members(list(kind))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return {"type": "array", "items": _member(kind.value_field, False)}
    if types.is_boolean(kind):
        return {"type": "boolean"}
    if types.is_integer(kind):
        return {"type": "integer"}
    return {"type": "number"} if types.is_floating(kind) else {"type": "string"} | _text(kind)


def _text(kind: pa.DataType) -> Schema:
    types = pa.types
    if types.is_timestamp(kind) and kind.tz:
        # An instant without a zone is not what JSON Schema calls a date-time.
        return {"format": "date-time"}
    if types.is_date32(kind):
        return {"format": "date"}
    if types.is_duration(kind):
        return {"format": "duration"}
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return {"contentEncoding": "base64"} if is_bytes else {}


def _members_apart(schema: Schema, place: str, taken: Taken) -> Schema:
    """The schema of an object, with references to those of the objects inside it, which are named after `place`."""
    names: list[str] = []
    found = {}
    for name, member in schema["properties"].items():
        names.append(type_name(name, names))
        found[name] = _apart(member, f"{place}.{names[-1]}", taken)
    return schema | {"properties": found}


def _apart(schema: Schema, name: str, taken: Taken) -> Schema:
    if "items" in schema:
        return schema | {"items": _apart(schema["items"], name, taken)}
    if "properties" not in schema:
        return schema
    taken.begin()
    body = {key: value for key, value in schema.items() if key != "description"} | {"type": "object"}
    taken.end(f"{name}.json", _members_apart({"$schema": DRAFT, "title": name} | body, name, taken))
    about = {"description": schema["description"]} if "description" in schema else {}
    reference = {"$ref": f"{name}.json"}
    return about | ({"oneOf": [{"type": "null"}, reference]} if "null" in schema["type"] else reference)
