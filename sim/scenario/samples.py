"""Values that the JSON Schema of the language allows: an example for every key, and for every model as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sim.scenario.document import resolve

Schema = Mapping[str, Any]

_PLAIN: dict[str, Callable[[Schema], Any]] = {
    "boolean": lambda schema: not schema.get("default", False),
    "integer": lambda schema: schema.get("default") or max(schema.get("minimum", 10), 10),
    "number": lambda schema: schema.get("default") or 2.5,
    "string": lambda schema: schema.get("default") or "text",
    "null": lambda schema: None,
}


class Samples:
    """Makes examples from `definitions`, the `$defs` of the schema."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def of(self, schema: Schema) -> Any:
        """A value that `schema` allows: its own example if it has one."""
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[-1])
        if "$ref" in schema:
            return self.of(self._definitions[schema["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.of(schema[key][0])
        return self._made(schema)

    def _made(self, schema: Schema) -> Any:
        kind = schema.get("type")
        if kind == "array":
            return [self.of(schema["items"])] if "items" in schema else []
        if "properties" in schema:
            return self.model(schema)
        if kind == "object":
            inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
            return {"name": self.of(inner) if isinstance(inner, Mapping) else 1}
        return _PLAIN[str(kind)](schema) if kind in _PLAIN else "anything"

    def model(self, schema: Schema) -> dict[str, Any]:
        """A mapping with the keys that a model needs, or with its first key if it needs none."""
        properties = schema["properties"]
        needed = [key for key in properties if key in schema.get("required", [])]
        kept = needed if any(key != "type" for key in needed) or "type" in needed else [*properties][:1]
        return {key: self.of(properties[key]) for key in sorted(kept, key=lambda key: key != "type")}


def flow(value: Any) -> str:
    """`value` as YAML on one line, as a person would write it: the `type` first."""
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: item[0] != "type")
        return "{" + ", ".join(f"{_scalar(key)}: {flow(inner)}" for key, inner in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return _scalar(value)


_PLAIN_TEXT = re.compile(r"[\w./+-][\w ./%+:;-]*")


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    plain = _PLAIN_TEXT.fullmatch(value) and not re.search(r": |:$| $|^- ", value) and isinstance(resolve(value), str)
    return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
