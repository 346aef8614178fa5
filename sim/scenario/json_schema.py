"""The JSON Schema of the language, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from sim.attributes.registry import registered
from sim.maths.model import UNIT_KEY
from sim.maths.units import Duration, GrowthRate, HazardRate, Instant, Offset, Probability, Rate, Slope, format_duration
from sim.scenario.schema import Scenario

Schema = dict[str, Any]

QUANTITIES: tuple[Any, ...] = (Duration, GrowthRate, HazardRate, Instant, Offset, Probability, Rate, Slope)

UNIONS = {
    "HourOfDay": "Curve",
    "PointsAge": "AgeCurve",
    "GammaDuration": "DurationDistribution",
    "GeometricCount": "CountDistribution",
    "WeibullHazard": "Hazard",
    "GammaFrailty": "Frailty",
    "Lookup": "Attribute",
    "Clamp": "Modifier",
    "Recent": "LookupWeights",
    "HeadTail": "Popularity",
}
"""A member by which to know a union of models -> the name of the union."""

_REF = "#/$defs/"
_OWN = ("description", "examples", "default")
_LENGTHS = ("Duration", "Offset")


def json_schema() -> Schema:
    """The language as a JSON Schema of draft 2020-12.

    Quantities with units are texts with a pattern; they and the unions of models are defined once.
    """
    units = quantities()
    shared: Schema = {}
    raw = Scenario.model_json_schema(mode="validation")
    schema = _everywhere(raw, lambda part: _union(_closed(_quantity(part, units)), shared))
    # a generator of a user's own is known by its name once it is registered; any other name is a mistake
    schema["$defs"]["Custom"]["properties"]["type"] = {"enum": list(registered())} if registered() else False
    schema["$defs"] = dict(sorted({**schema["$defs"], **shared, **units}.items()))
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "datagen scenario"}


def quantities() -> dict[str, Schema]:
    """The JSON Schema of each quantity with a unit, by name."""
    found = {}
    for kind in QUANTITIES:
        schema = TypeAdapter(kind).json_schema()
        found[str(schema.pop(UNIT_KEY))] = schema
    return found


def _everywhere(part: Any, change: Callable[[Schema], Schema]) -> Any:
    if isinstance(part, dict):
        return change({key: _everywhere(value, change) for key, value in part.items()})
    return [_everywhere(item, change) for item in part] if isinstance(part, list) else part


def _quantity(part: Schema, units: dict[str, Schema]) -> Schema:
    """A quantity as a reference to its one definition, with what is said of it here only."""
    if not isinstance(part.get(UNIT_KEY), str):
        return part
    unit = units[part[UNIT_KEY]]
    own = {key: part[key] for key in _OWN if key in part and part[key] != unit.get(key)}
    if part[UNIT_KEY] in _LENGTHS and isinstance(own.get("default"), int):
        own["default"] = format_duration(own["default"])
    return {"$ref": _REF + part[UNIT_KEY], **own}


def _closed(part: Schema) -> Schema:
    """Without the titles that pydantic makes of names; mappings take no keys but those of their pattern."""
    if isinstance(part.get("title"), str) and part.keys() & {"type", "anyOf", "$ref", "const", "oneOf"}:
        part.pop("title")
    if "patternProperties" in part and "type" in part:
        part.pop("propertyNames", None)
        part.setdefault("additionalProperties", False)
    return part


def _union(part: Schema, shared: Schema) -> Schema:
    """A union of models as a reference to its one definition."""
    members = part.get("oneOf")
    names = [str(member.get("$ref", "")).removeprefix(_REF) for member in members] if isinstance(members, list) else []
    name = next((UNIONS[member] for member in UNIONS if member in names), None)
    if name is None or not all(names):
        return part
    shared[name] = {"oneOf": members}
    return {"$ref": _REF + name, **{key: part[key] for key in _OWN if key in part}}
