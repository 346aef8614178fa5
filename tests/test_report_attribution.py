"""Attribution in reports: what paths say of channels, beside what the scenario says of them."""

from __future__ import annotations

import polars as pl
import pytest
from outputs import written
from worlds import scenario

from sim.model.compile import compile_scenario
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.report.report import report
from sim.scenario.loader import load

WORLD = scenario(
    entities={"visitor": {"initial": {"count": 2500}}},
    processes={
        "journey": {
            "entity": "visitor", "start": {"rate": "0.5/month"}, "first": {"display": 50, "search": 30, "social": 20},
            "after": {"type": "lognormal", "median": "30h", "sigma": 0.5},
            "steps": {
                "display": {"next": {"display": 0.2, "search": 0.3}},
                "social": {"next": {"search": 0.3}},
                "search": {"next": [{"to": "landing", "probability": 0.6, "after": "2s"}]},
                "landing": {
                    "next": [{"to": "order", "probability": 0.4, "after": "5min"}, {"to": "social", "probability": 0.1}]
                },
                "order": {},
            },
            "conversions": ["order"],
        }
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    root = tmp_path_factory.mktemp("journeys")
    written(WORLD, f"parquet:{root}")
    loaded = load(WORLD)
    with open_dataset(str(root)) as data:
        steps = pl.from_arrow(
            data.arrow("SELECT journey_case_id AS id, step_index AS place, step::VARCHAR AS step FROM journey")
        )
        return report(data, Declared(loaded, compile_scenario(loaded), True)), report(data), steps


def effects(page):
    (chart,) = [chart for chart in page.charts() if chart.title.startswith("journey: conversions lost without")]
    return {row["y"]: row for row in next(iter(chart.spec["datasets"].values()))}


def credit(page):
    (chart,) = [chart for chart in page.charts() if chart.title == "journey: share of the credit"]
    return {(row["by"], row["y"]): row["x"] for row in next(iter(chart.spec["datasets"].values()))}


def test_channels_are_where_journeys_begin_and_not_the_pages_in_between(pages):
    assert set(effects(pages[0])) == {"display", "search", "social"}


def test_removal_effects_from_facts_agree_with_the_truth(pages):
    found = effects(pages[0])
    assert all(row["x_low"] - 0.02 < row["x_declared"] < row["x_high"] + 0.02 for row in found.values())
    assert found["search"]["x"] == pytest.approx(1.0)
    assert found["display"]["x_declared"] == pytest.approx(_lost("display"), abs=1e-6)


def _lost(channel):
    """By hand: without the channel, search is reached straight, from the others, and again by way of social."""
    first = {"display": 0.5, "search": 0.3, "social": 0.2}
    reach = {"display": 0.3 / 0.8, "search": 1.0, "social": 0.3}
    kept = {name: share for name, share in first.items() if name != channel}
    came, every = (sum(share * reach[name] for name, share in shares.items()) for shares in (kept, first))
    return 1 - came / every


def test_last_touch_is_the_channel_that_comes_last_before_the_order(pages):
    steps = pages[2].sort("id", "place")
    touches = steps.filter(pl.col("step").is_in(["display", "search", "social"]))
    ordered = touches.filter(pl.col("id").is_in(steps.filter(pl.col("step") == "order")["id"].implode()))
    last = ordered.group_by("id", maintain_order=True).last()["step"].value_counts(normalize=True)
    shares = dict(last.rows())
    found = credit(pages[0])
    assert {name: found["last touch", name] for name in shares} == pytest.approx(shares, abs=0.02)
    assert found["last touch", "display"] == 0
    assert sum(share for (way, _), share in found.items() if way == "truth") == pytest.approx(1.0)


def test_without_a_scenario_a_goal_is_known_by_its_name(pages):
    bare = effects(pages[1])
    assert {name: row["x"] for name, row in bare.items()} == {name: row["x"] for name, row in effects(pages[0]).items()}
    assert ("truth", "display") not in credit(pages[1])
