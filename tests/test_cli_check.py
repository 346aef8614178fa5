"""`datagen check` in the terminal: what it says, and how it ends."""

from __future__ import annotations

import json

import pytest
from commands import SMALL, invoke
from mutations import Output, copied

EXPECT = """
expect:
  mean: {sql: 'SELECT avg(quantity) FROM "order"', min: 1, max: 3}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("check")
    (root / "small.yaml").write_text(SMALL + EXPECT)
    assert invoke("run", str(root / "small.yaml"), "--to", f"parquet:{root}/good", "-q").exit_code == 0
    broken = copied(root / "good", root / "broken")
    broken.replace("order", "order_id", "order_id - order_id % 2")
    return root


def test_sound_data_ends_well(place):
    result = invoke("check", str(place / "good"), "--scenario", str(place / "small.yaml"))
    assert result.exit_code == 0
    assert "100.0 of 100" in result.stdout
    assert "all that was measured holds" in result.stdout


def test_what_does_not_hold_is_named_and_ends_with_1(place):
    result = invoke("check", f"parquet:{place}/broken", "--scenario", str(place / "small.yaml"))
    assert result.exit_code == 1
    assert "FAILED unique_ids order.order_id: " in result.stdout


@pytest.mark.parametrize(("score", "exit_code"), [("90", 0), ("99.9", 1)])
def test_a_threshold_decides_instead(place, score, exit_code):
    result = invoke("check", str(place / "broken"), "--fail-under", score)
    assert result.exit_code == exit_code


def test_machines_get_every_finding(place):
    result = invoke("check", str(place / "broken"), "--scenario", str(place / "small.yaml"), "--json")
    told = json.loads(result.stdout)
    assert told["sound"] is False
    assert told["scenario"] == "small"
    failed = [(f["section"], f["name"], f["subject"]) for f in told["findings"] if f["passed"] is False]
    assert failed == [("structure", "unique_ids", "order.order_id")]


def test_one_section_alone(place):
    words = ["check", str(place / "good"), "--scenario", str(place / "small.yaml"), "--only", "values", "--json"]
    told = json.loads(invoke(*words).stdout)
    assert set(told["sections"]) == {"values"}
    assert {finding["name"] for finding in told["findings"]} >= {"shares", "distributions", "categories"}


def test_a_page_is_written(place):
    target = place / "check.html"
    words = ["--scenario", str(place / "small.yaml"), "--report", str(target), "-q"]
    assert invoke("check", str(place / "broken"), *words).exit_code == 1
    text = target.read_text()
    assert "What does not hold" in text
    assert "Measured against declared" in text
    assert "P-values in order" in text


def test_without_a_scenario_that_is_said(place):
    result = invoke("check", str(place / "good"))
    assert result.exit_code == 0
    assert "no scenario is known for these facts" in result.stderr


def test_another_scenario_is_not_what_the_facts_came_from(place):
    words = ["--scenario", str(place / "small.yaml"), "--set", "streams.order.attributes.quantity.mean=1.5"]
    result = invoke("check", str(place / "good"), *words)
    assert "is not exactly what the facts came from" in result.stderr
    assert "FAILED distributions order.quantity" in result.stdout
    assert result.exit_code == 1


def test_queries_of_the_scenario_are_refused_with_their_line(place):
    path = place / "unquoted.yaml"
    path.write_text((SMALL + EXPECT).replace('"order"', "order"))
    result = invoke("check", str(place / "good"), "--scenario", str(path))
    assert result.exit_code == 2
    assert "unquoted.yaml:21: expect.mean.sql: " in result.stderr
    assert 'write "order" in quotes' in result.stderr


def test_csv_is_checked_like_parquet(place):
    invoke("run", str(place / "small.yaml"), "--to", f"csv:{place}/csv", "-q")
    assert invoke("check", f"csv:{place}/csv", "--scenario", str(place / "small.yaml")).exit_code == 0
    path = Output(place / "csv").root / "order"
    (file,) = path.glob("*.csv")
    file.write_text(file.read_text().replace("\n", "\n,", 2))
    assert invoke("check", f"csv:{place}/csv", "-q").exit_code == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/nowhere"], "there is no such file"),
        (["/tmp", "--set", "a=b"], "name it with --scenario"),
        (["kafka://localhost:1"], "which topics?"),
        (["/tmp", "-X", "a=b"], "takes no settings"),
    ],
)
def test_what_makes_no_sense_ends_with_2(words, message):
    result = invoke("check", *words)
    assert result.exit_code == 2
    assert message in result.stderr
