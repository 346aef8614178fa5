"""Formats by name: `find("json")` is a class, built once a stream.

Other packages add theirs by `register`.
"""

from __future__ import annotations

from importlib import import_module

from sim.errors import ParameterError
from sinks.formats.format import Format
from sinks.words import nearest

__all__ = ["Format", "find", "names", "register"]

_FORMATS: dict[str, str | type[Format]] = {
    "avro": "sinks.formats.avro:Avro",
    "csv": "sinks.formats.csv:Csv",
    "json": "sinks.formats.json:Json",
    "jsonschema": "sinks.formats.json_schema:JsonSchema",
    "protobuf": "sinks.formats.protobuf:Protobuf",
}


def find(name: str) -> type[Format]:
    """The format of that name. Raises ParameterError with the nearest name."""
    known = _FORMATS.get(name)
    if known is None:
        raise ParameterError(f"{name!r} is not a format{nearest(name, _FORMATS)}")
    if isinstance(known, str):
        module, _, attribute = known.partition(":")
        known = getattr(import_module(module), attribute)
        assert isinstance(known, type)
        _FORMATS[name] = known
    return known


def names() -> list[str]:
    """Every format that `find` knows, sorted."""
    return sorted(_FORMATS)


def register(name: str, kind: type[Format]) -> None:
    """Make `kind` known under `name`, for this process. Raises ParameterError where the name is taken."""
    if _FORMATS.get(name, kind) is not kind:
        raise ParameterError(f"there is a format {name!r} already")
    _FORMATS[name] = kind
