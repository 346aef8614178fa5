"""A schema in pieces: the types that it refers to as schemas of their own, as registries keep them.

A registry resolves a reference by its name, under which the text that refers to it knows the other type: in Avro the
full name of a record, in Protobuf the name of the file that is imported, in JSON Schema what `$ref` says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any] | list[Any] | str


@dataclass(frozen=True, slots=True)
class Piece:
    """One schema: its name, its text, and the names of those that it refers to itself."""

    name: str
    text: str
    needs: tuple[str, ...] = ()


@dataclass(slots=True)
class Taken:
    """Takes schemas out of another, each once, those first that others refer to."""

    pieces: list[Piece] = field(default_factory=list)
    _needs: list[list[str]] = field(default_factory=lambda: [[]])

    def need(self, name: str) -> None:
        """What is being made refers to `name`."""
        if name not in self._needs[-1]:
            self._needs[-1].append(name)

    def begin(self) -> None:
        """A piece begins, within another."""
        self._needs.append([])

    def end(self, name: str, schema: dict[str, Any]) -> None:
        """It is made, and the other refers to it."""
        needs = tuple(self._needs.pop())
        if all(piece.name != name for piece in self.pieces):
            self.pieces.append(Piece(name, json.dumps(schema), needs))
        self.need(name)

    def whole(self, name: str, schema: Json) -> list[Piece]:
        """All of them, with the one around them last."""
        return [*self.pieces, Piece(name, json.dumps(schema), tuple(self._needs[-1]))]


def avro_pieces(schema: dict[str, Any]) -> list[Piece]:
    """The record `schema` and the records inside it, each as a schema of its own."""
    taken = Taken()
    top = _avro_fields(schema, taken)
    return taken.whole(_full_name(schema), top)


def _avro(schema: Json, taken: Taken) -> Json:
    if isinstance(schema, list):
        return [_avro(part, taken) for part in schema]
    if isinstance(schema, str):
        if "." in schema:
            taken.need(schema)
        return schema
    if schema["type"] == "array":
        return schema | {"items": _avro(schema["items"], taken)}
    if schema["type"] != "record":
        return schema
    taken.begin()
    made = _avro_fields(schema, taken)
    taken.end(_full_name(schema), made)
    return _full_name(schema)


def _avro_fields(schema: dict[str, Any], taken: Taken) -> dict[str, Any]:
    return schema | {"fields": [part | {"type": _avro(part["type"], taken)} for part in schema["fields"]]}


def _full_name(schema: dict[str, Any]) -> str:
    return f"{schema['namespace']}.{schema['name']}"
