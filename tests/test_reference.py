from __future__ import annotations

import re

import jsonschema
import pytest

from sim.scenario.json_schema import json_schema
from sim.scenario.loader import parse
from sim.scenario.reference import page, path
from sim.scenario.reference_text import EXAMPLES, KEY_EXAMPLES
from sim.scenario.samples import Samples, flow

SCHEMA = json_schema()
MODELS = {name: schema for name, schema in SCHEMA["$defs"].items() if "properties" in schema and name != "Custom"}
PAGE = page()


def check(value, schema) -> None:
    jsonschema.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]}).validate(value)


def test_the_page_is_up_to_date():
    assert path().read_text(encoding="utf-8") == PAGE, "run: python -m sim.scenario.reference"


def test_every_key_of_the_language_is_on_the_page():
    keys = {key for schema in [SCHEMA, *MODELS.values()] for key in schema["properties"] if key != "type"}
    assert [key for key in sorted(keys) if f"\n| `{key}` | " not in PAGE] == []


def test_no_cell_but_the_unit_is_empty():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert [row for row in cells if not all(cell for place, cell in enumerate(row) if place != 2)] == []


def test_the_language_without_its_catalogue_is_read_in_a_quarter_of_an_hour():
    language = re.sub(r"<a id=.*?</a>|\]\(#.*?\)|```.*?```", "", PAGE[: PAGE.index('<a id="curve">')], flags=re.DOTALL)
    assert 2_000 < len(re.findall(r"[A-Za-z][A-Za-z'-]+", language)) < 15 * 290


def test_links_lead_somewhere():
    anchors = set(re.findall(r'<a id="([^"]+)">', PAGE))
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


@pytest.mark.parametrize("name", MODELS)
def test_the_example_of_a_model_is_valid(name):
    check(parse(EXAMPLES.get(name) or flow(Samples(SCHEMA["$defs"]).model(MODELS[name]))).data, MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_the_examples_of_keys_are_valid(name):
    for key, spec in MODELS[name]["properties"].items():
        text = KEY_EXAMPLES.get((name, key)) or flow(Samples(SCHEMA["$defs"]).of(spec))
        check(parse(f"example: {text}").data["example"], spec)


def test_the_long_examples_are_scenarios():
    from sim.scenario.check import check as checked

    assert checked(parse(EXAMPLES["Scenario"])).name == "shop"
    for example in (EXAMPLES["Entity"], EXAMPLES["Lifecycle"]):
        assert parse(example).data


@pytest.mark.parametrize(
    "value", ["a: b", "- x", "1", "true", "", "x #y", "3%/month", "a, b", "'", '"', "[x", "{x", "*x", "2024-01-01"]
)
def test_what_is_written_reads_back(value):
    assert parse(f"example: {flow([value, {'k': value}])}").data["example"] == [value, {"k": value}]
