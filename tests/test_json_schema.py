from __future__ import annotations

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError
from test_scenario_errors import SHOP

from sim.maths.curves import Curve
from sim.scenario.bundled import bundled, path_of
from sim.scenario.json_schema import QUANTITIES, json_schema, quantities
from sim.scenario.loader import parse, read

SCHEMA = json_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema_of_the_draft_that_it_names():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", bundled())
def test_bundled_scenarios_are_valid(name):
    assert [error.message for error in CHECK.iter_errors(read(path_of(name)).data)] == []


def test_a_scenario_with_short_forms_is_valid_and_typing_errors_are_not():
    assert CHECK.is_valid(parse(SHOP).data)
    for old, new in [
        ("weight: 1", "wieght: 1"),
        ("4/day", "4"),
        ("8%/year", "8/fortnight"),
        ("type: lognormal", "type: nolog"),
    ]:
        assert not CHECK.is_valid(parse(SHOP.replace(old, new)).data)


WRITTEN = {
    "Duration": ["3min", "1.5h", "1h 30min", "month", "2 weeks", "1e3 s", "0d"],
    "Offset": ["-2h", "+15min", "1d"],
    "Rate": ["2/month", "50k/day", "0.5 per hour", "1/30d", "2M / 2 weeks"],
    "HazardRate": ["3%/month", "0.5/month", "2% per year"],
    "GrowthRate": ["8%/year", "-3%/month", "+1.5% per week"],
    "Slope": ["8%/year", "-3%/month", "0.5/year"],
    "Instant": ["2024-11-25", "2024-11-25 08:30", "2024-11-25T08:30:00Z", "2024-11-25T08:30:00.5+02:00"],
    "Probability": [0, 1, 0.35, "35%", "0.5"],
}
WRONG = [5, "5", "", "x", "5 parsecs", "5/parsec", "-", "%/day", "24-01-01", 1.5, None, [], "3d/", "1 2d"]


@pytest.mark.parametrize("kind", QUANTITIES, ids=quantities())
def test_the_pattern_of_a_quantity_takes_what_its_parser_takes(kind):
    adapter = TypeAdapter(kind)
    name, schema = next(
        (name, schema) for name, schema in quantities().items() if adapter.json_schema()["x-unit"] == name
    )
    check = jsonschema.Draft202012Validator(schema)
    for text in WRITTEN[name] + schema["examples"]:
        adapter.validate_python(text)
        assert check.is_valid(text), text
    for wrong in WRONG:
        if not accepts(adapter, wrong):
            assert not check.is_valid(wrong), wrong


def accepts(adapter, value) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def test_every_key_has_a_description():
    missing = [
        f"{name}.{key}"
        for name, model in {"Scenario": SCHEMA, **SCHEMA["$defs"]}.items()
        for key, spec in model.get("properties", {}).items()
        if key != "type" and not spec.get("description") and "$ref" not in spec
    ]
    assert missing == []


def test_short_names_of_days_are_in_the_schema():
    curve = {"type": "day_of_week", "weights": {"sat": 2, "sunday": 0.5}}
    TypeAdapter(Curve).validate_python(curve)
    assert jsonschema.Draft202012Validator(TypeAdapter(Curve).json_schema()).is_valid(curve)
