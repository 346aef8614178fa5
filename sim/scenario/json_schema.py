"""The JSON Schema of the language, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from sim.attributes.registry import registered
from sim.maths.model import UNIT_KEY
from sim.maths.units import Duration, GrowthRate, HazardRate, Instant, Offset, Probability, Rate, Slope, format_duration
from sim.scenario.schema import Scenario

QUANTITIES: tuple[Any, ...] = (Duration, GrowthRate, HazardRate, Instant, Offset, Probability, Rate, Slope)
_OWN = ("description", "examples", "default")
_LENGTHS = ("Duration", "Offset")


def json_schema() -> dict[str, Any]:
    """The language as a JSON Schema of draft 2020-12. Quantities with units are texts with a pattern."""
    units = quantities()
    schema = _everywhere(Scenario.model_json_schema(mode="validation"), lambda part: _shared(part, units))
    # a generator of a user's own is known by its name once it is registered; any other name is a mistake
    schema["$defs"]["Custom"]["properties"]["type"] = {"enum": list(registered())} if registered() else False
    schema["$defs"] = dict(sorted({**schema.get("$defs", {}), **units}.items()))
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "datagen scenario"}


def quantities() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each quantity with a unit, by name."""
    found = {}
    for kind in QUANTITIES:
        schema = TypeAdapter(kind).json_schema()
        found[str(schema.pop(UNIT_KEY))] = schema
    return found


def _everywhere(part: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(part, dict):
        return change({key: _everywhere(value, change) for key, value in part.items()})
    return [_everywhere(item, change) for item in part] if isinstance(part, list) else part


def _shared(part: dict[str, Any], units: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A quantity as a reference to its one definition, with what is said of it here only."""
    if not isinstance(part.get(UNIT_KEY), str):
        if isinstance(part.get("title"), str) and part.keys() & {"type", "anyOf", "$ref", "const", "oneOf"}:
            part.pop("title")
        return part
    unit = units[part[UNIT_KEY]]
    own = {key: part[key] for key in _OWN if key in part and part[key] != unit.get(key)}
    if part[UNIT_KEY] in _LENGTHS and isinstance(own.get("default"), int):
        own["default"] = format_duration(own["default"])
    return {"$ref": f"#/$defs/{part[UNIT_KEY]}", **own}
