"""Incidents in reports: rates before, during and after are those that SQL counts, and the declared factors."""

from __future__ import annotations

import json

import polars as pl
import pytest
from outputs import written
from worlds import scenario

from sim.model.compile import compile_scenario
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.report.report import report
from sim.scenario.loader import load

HALT = ("2024-06-03", "2024-06-06")
WORLD = scenario(
    curves={"sale": {"type": "window", "from": "2024-09-02", "until": "2024-09-09", "factor": 4, "ramp": "1d"}},
    entities={
        "user": {"initial": {"count": 300}, "segments": {"region": {"north": {"weight": 1}, "south": {"weight": 1}}}}
    },
    streams={
        "buy": {"entity": "user", "rate": "20/month", "curves": ["sale"]},
        "look": {"entity": "user", "rate": "3/month"},
    },
    incidents={
        "halt": {
            "from": HALT[0], "until": HALT[1], "segments": {"region": ["north"]}, "streams": {"buy": {"rate": 0.1}},
        },
        "frenzy": {"per": "user", "rate": "3/year", "duration": "2d", "streams": {"buy": {"rate": 6}}},
        "slip": {"per": "fact", "probability": "1%", "streams": {"look": {}}},
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("incidents")
    written(WORLD, f"parquet:{root}")
    return root


def made(folder, known=True):
    loaded = load(WORLD)
    with open_dataset(str(folder)) as data:
        return report(data, Declared(loaded, compile_scenario(loaded), True) if known else None)


@pytest.fixture(scope="module")
def page(folder):
    return made(folder)


def tables(page):
    (section,) = [section for section in page.sections if section.title == "Incidents"]
    found = [block.content["rows"] for block in section.blocks if block.kind == "table"]
    return [[tuple(cell.value for cell in row) for row in rows] for rows in found]


def rates(page):
    return {row[0]: row[1:] for row in tables(page)[1]}


def test_all_that_is_unusual_is_listed(page):
    listed = {row[0]: row[1:3] for row in tables(page)[0]}
    assert listed == {
        "halt": ("incident", "north"), "sale": ("window", "everybody"), "frenzy": ("incident", "single users"),
        "slip": ("incident", "single facts"),
    }  # fmt: skip


def test_rates_are_those_of_the_same_hours_a_week_before_and_after(page, folder):
    with open_dataset(str(folder)) as data:
        (counts,) = data.query(
            "SELECT count(*) FILTER (buy.event_time BETWEEN '2024-05-27' AND '2024-05-30') / 72, "
            "count(*) FILTER (buy.event_time BETWEEN '2024-06-03' AND '2024-06-06') / 72, "
            "count(*) FILTER (buy.event_time BETWEEN '2024-06-10' AND '2024-06-13') / 72 "
            "FROM buy JOIN user USING (user_id) WHERE region = 'north'"
        )
    assert rates(page)["halt: buy, affected"][1:4] == pytest.approx(counts)


def test_only_those_who_are_hit_are_affected_and_by_the_declared_factor(page):
    found = rates(page)
    ratio = {name: row[4] for name, row in found.items()}
    assert ratio["halt: buy, affected"] == pytest.approx(0.1, abs=0.06)
    assert ratio["halt: buy, others"] == pytest.approx(1.0, abs=0.2)
    assert found["halt: buy, others"][5] == 1.0
    assert ratio["sale: buy"] == pytest.approx(1 + 3 * 6 / 7, rel=0.12)
    assert found["sale: buy"][5] == pytest.approx(1 + 3 * 6 / 7)


def test_entities_are_compared_with_themselves(page):
    before, during, after, ratio = rates(page)["frenzy: buy of users hit"][1:5]
    assert ratio == pytest.approx(6, rel=0.15)
    assert before == pytest.approx(after, rel=0.25)
    assert during == pytest.approx(6 * 20 / (365.25 / 12), rel=0.15)


def test_volumes_are_shaded_while_it_lasted(page):
    shaded = {chart.title: _spans(chart) for chart in page.charts() if chart.title in ("buy a day", "look a day")}
    assert shaded["look a day"] == []
    first, second = shaded["buy a day"]
    assert first[0] == "2024-06-03T00:00:00.000Z"
    assert (second[0], second[1]) == ("2024-09-02T00:00:00.000Z", "2024-09-09T00:00:00.000Z")


def _spans(chart):
    layers = [layer for layer in chart.spec["layer"] if json.dumps(layer["mark"]).count('"span"')]
    names = [layer["data"]["name"] for layer in layers]
    return [(row["x"], row["x_high"]) for name in names for row in chart.spec["datasets"][name]]


def test_without_the_scenario_the_ground_truth_tells_of_incidents(folder):
    bare = made(folder, known=False)
    assert {row[0] for row in tables(bare)[0]} == {"halt", "frenzy", "slip"}
    assert rates(bare)["frenzy: buy of users hit"][4] == pytest.approx(6, rel=0.15)


def test_the_hours_around_an_incident_are_drawn(page):
    (chart,) = [chart for chart in page.charts() if chart.title.startswith("halt: buy by")]
    rows = pl.DataFrame(max(chart.spec["datasets"].values(), key=len))
    begin, until = (pl.lit(f"{day}T00:00:00.000Z") for day in HALT)
    inside = pl.col("x").is_between(begin, until, closed="left")
    assert rows.filter(inside)["y"].mean() < 0.8 * rows.filter(~inside)["y"].mean()
