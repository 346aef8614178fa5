from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.maths.instants import format_instant
from sim.maths.units import MONTH
from sim.scenario.bundled import bundled, folder, path_of
from sim.scenario.document import MAX_DEPTH, resolve
from sim.scenario.loader import MAX_BYTES, load, parse

SMALL = """\
name: small
start: 2024-01-01
end: 2024-03-01
timezone: Europe/Paris
curves:
  growth: {type: exponential, rate: 8%/year}
entities:
  customer:
    initial: {count: 10}
    attributes:
      country: {type: choice, values: {FR: 6, NO: 3}}
streams:
  order: {entity: customer, rate: 2/month, curves: [growth]}
"""


def refused(text: str, tmp_path: Path) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return str(caught.value).replace(str(tmp_path) + os.sep, "")


def test_a_scenario_is_read_from_yaml_json_and_a_mapping_alike(tmp_path):
    (tmp_path / "s.yaml").write_text(SMALL)
    (tmp_path / "s.json").write_text(json.dumps(parse(SMALL).data, indent="\t"))
    one, two, three = load(tmp_path / "s.yaml"), load(str(tmp_path / "s.json")), load(parse(SMALL).data)
    assert one.model_dump() == two.model_dump() == three.model_dump()
    assert one.streams["order"].rate == pytest.approx(2 / MONTH)


def test_dates_are_civil_time_of_the_timezone():
    assert format_instant(load(parse(SMALL).data).start) == "2023-12-31T23:00:00Z"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-7", -7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", "007"),
        ("01.5", "01.5"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 12:00:00", "2024-01-01 12:00:00"),
        ("~", None),
        ("", None),
        ("null", None),
        (".inf", float("inf")),
        ("1.2.3", "1.2.3"),
        ("9" * 500, "9" * 500),
    ],
)
def test_plain_scalars_mean_what_they_look_like(text, value):
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text():
    assert parse("a: '1'\nb: \"true\"\nc: |\n  5\n").data == {"a": "1", "b": "true", "c": "5\n"}


def test_no_is_norway():
    assert "NO" in load(parse(SMALL).data).entities["customer"].attributes["country"].values


def test_aliases_and_merges_are_followed():
    data = parse("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nmany: {<<: [*b, {z: 4}]}\nsame: *b\n").data
    assert data["more"] == {"x": 1, "y": 3}
    assert data["many"] == {"x": 1, "y": 2, "z": 4}
    assert data["same"] == {"x": 1, "y": 2}


def test_a_key_given_twice_is_a_problem_with_both_lines(tmp_path):
    assert (
        refused(SMALL.replace("end:", "start: 2024-01-02\nend:"), tmp_path)
        == "s.yaml:3: the key 'start' is already on line 2"
    )


HOSTILE = {
    "deep flow": "[" * 100_000,
    "deep mappings": "".join(" " * depth + "a:\n" for depth in range(MAX_DEPTH + 10)),
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)),
    "merge bomb": "x: &x {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\n"
    "y: {<<: [" + ",".join(["*x"] * 1000) + "]}",
    "itself": "a: &a [*a]",
    "python object": "name: !!python/object/apply:os.system ['true']",
    "tag": "name: !secret x",
    "list": "- a",
    "text": "hello",
    "empty": "",
    "null byte": "name: 'a\0b'",
    "half a character": 'name: "\\ud83d"',
    "unclosed": "name: 'x",
    "tabs": "a:\n\tb: 1",
    "two documents": "a: 1\n---\nb: 2",
    "complex key": "? [a, b]\n: 1",
    "other version": "%YAML 3.0\n---\na: 1",
    "unknown alias": "a: *nothing",
    "brackets": "[}" * 1000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_refused_with_their_place(kind, tmp_path):
    assert refused(HOSTILE[kind], tmp_path).startswith("s.yaml")


def test_huge_binary_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "s.yaml"
    for content, reason in [
        (b"#" * (MAX_BYTES + 1), "larger than"),
        (os.urandom(2000) + b"\xff", "UTF-8"),
        ("name: café".encode("latin-1"), "UTF-8"),
        (SMALL.encode("utf-16"), "UTF-8"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ScenarioError, match=reason):
            load(path)


def test_what_is_no_file_is_refused(tmp_path):
    for source in [tmp_path, tmp_path / "none.yaml", "", "a\0b", "x" * 5000, "storefrnt", "../scenarios/none"]:
        with pytest.raises(ScenarioError):
            load(source)


def test_a_mapping_is_limited_as_a_file_is():
    deep: dict[str, object] = {}
    inner = deep
    for _ in range(200):
        inner["a"] = inner = {}
    with pytest.raises(ScenarioError, match="levels of nesting"):
        load(deep)


def test_huge_numbers_are_refused_at_once():
    for path, value in [
        ("entities.customer.initial.count", 10**12),
        ("entities.customer.initial.count", "1e300"),
        ("streams.order.rate", "1e400/day"),
        ("tick", "5000 years"),
        ("end", "9999-01-01"),
        ("blocks", 10**9),
    ]:
        with pytest.raises(ScenarioError):
            load(parse(SMALL).data, {path: value})


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "A", "", "a" * 65, "a-b", "ü", "con\nfig", "1st"])
def test_names_that_could_become_paths_are_refused(name):
    data = parse(SMALL).data
    for key, spec in [("entities", {"initial": {"count": 1}}), ("streams", {"entity": "customer", "rate": "1/day"})]:
        with pytest.raises(ScenarioError, match="is not a name"):
            load({**data, key: {**data[key], name: spec}})


@pytest.mark.parametrize(
    "sql",
    [
        "(SELECT 1)",
        "read_csv('/etc/passwd')",
        "1 FROM read_parquet('x')",
        "price; DROP TABLE x",
        "read_text('/etc/hostname')",
        "(select * from read_csv('/etc/passwd'))",
        "1 -- comment",
        "random()",
        "now()",
        "sum(1)",
    ],
)
def test_expressions_that_reach_outside_the_row_are_refused(sql):
    data = parse(SMALL).data
    data["streams"]["order"]["attributes"] = {"x": {"type": "expression", "sql": sql}}
    with pytest.raises(ScenarioError, match=r"attributes\.x\.sql: "):
        load(data)


def test_bundled_scenarios_are_found_by_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in bundled():
        assert path_of(name) == folder() / f"{name}.yaml"
        assert load(name).name == name
    with pytest.raises(ScenarioError, match="bundled"):
        path_of("nothing")


def test_overrides_replace_values_and_are_read_as_yaml():
    found = load(
        parse(SMALL).data,
        {
            "entities.customer.initial.count": "25",
            "streams.order.curves[0]": "{type: constant, value: 2}",
            "streams.order.rate": "3/month",
            "entities.customer.initial.age.type": "exponential",
            "entities.customer.initial.age.mean": "30d",
            "curves.flat": {"type": "constant", "value": 1},
            "seed": 7,
        },
    )
    assert found.entities["customer"].initial.count == 25
    assert found.entities["customer"].initial.age.mean() == 30 * 86_400_000_000
    assert found.streams["order"].curves[0].value == 2
    assert (found.seed, found.curves["flat"].value) == (7, 1)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("entities.custmer.initial.count", "'entities' has no 'custmer'; did you mean 'customer'?"),
        ("streams.order.curves[3]", "has no 3"),
        ("streams.order.rate.x", "has no 'x'"),
        ("entitis.customer.initial.count", "has no 'entitis'"),
        ("seeed", "unknown key 'seeed'; did you mean 'seed'?"),
        ("", "is not a path"),
        ("a..b", "is not a path"),
        ("[0]", "is not a path"),
        ("entities.customer.initial.count", "must be a whole number, not 'many'"),
    ],
)
def test_overrides_that_lead_nowhere_say_so(path, message):
    with pytest.raises(ScenarioError) as caught:
        load(parse(SMALL).data, {path: "many"})
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--set {path}")


def test_an_override_changes_one_of_two_aliases_only(tmp_path):
    text = SMALL.replace("{count: 10}", "&few {count: 10}").replace("streams:", "  product: {initial: *few}\nstreams:")
    (tmp_path / "s.yaml").write_text(text)
    found = load(tmp_path / "s.yaml", {"entities.product.initial.count": 3})
    assert [found.entities[name].initial.count for name in ("customer", "product")] == [10, 3]
