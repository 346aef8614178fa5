"""Adoption in reports: the curve of Bass through births, beside what the scenario declares."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from outputs import written
from worlds import SEED, scenario

from sim.model.compile import compile_scenario
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.report.adoption import adoption
from sim.quality.report.report import report
from sim.scenario.loader import load

WEEKS = np.arange(0, 53 * 8, dtype=np.float64) * 7
DIFFUSION = {"type": "bass", "market": 6000, "p": "0.6/year", "q": "6/year"}


def share(days, p, q):
    """F of Bass (1969), equation 5, by itself: p and q a year."""
    fade = np.exp(-(p + q) * days / 365.25)
    return (1 - fade) / (1 + q / p * fade)


def drawn(edges, p, q, market, seed=SEED):
    return np.random.default_rng(seed).poisson(market * np.diff(share(edges, p, q))).astype(float)


def test_the_parameters_of_a_diffusion_are_found_in_its_births():
    found = adoption(WEEKS, drawn(WEEKS, 0.03, 0.9, 30_000))
    assert (found.p, found.q, found.market) == (
        pytest.approx(0.03, rel=0.15), pytest.approx(0.9, rel=0.05), pytest.approx(30_000, rel=0.03),
    )  # fmt: skip
    assert found.told
    assert found.r2 > 0.9
    assert found.total(WEEKS) == pytest.approx(found.market * share(WEEKS, found.p, found.q))


def test_intervals_hold_as_often_as_they_say():
    fits = [adoption(WEEKS[::8], drawn(WEEKS[::8], 0.05, 1.0, 5_000, 1000 * SEED + n)) for n in range(150)]
    truth = (0.05, 1.0, 5_000.0)
    held = [low < true < high for fit in fits for (low, high), true in zip(fit.intervals, truth, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_a_market_that_the_data_do_not_reach_is_not_told():
    early = WEEKS[WEEKS < 300]
    found = adoption(early, drawn(early, 0.02, 0.8, 100_000))
    assert not found.told
    assert "too early to tell the market" in found.words()


def test_there_is_no_diffusion_in_steady_or_few_births():
    steady = np.random.default_rng(SEED).poisson(50, len(WEEKS) - 1).astype(float)
    assert adoption(WEEKS, np.full(len(WEEKS) - 1, 50.0)) is None
    assert adoption(WEEKS, steady / 1000) is None


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    world = scenario(
        entities={"user": {"arrivals": {"diffusion": DIFFUSION}}, "guest": {"arrivals": {"rate": "9/day"}}}
    )
    root = tmp_path_factory.mktemp("adoption")
    written(world, f"parquet:{root}")
    loaded = load(world)
    with open_dataset(str(root)) as data:
        known = report(data, Declared(loaded, compile_scenario(loaded), True))
        bare = report(data)
    return [{chart.title: chart for chart in page.charts()} for page in (known, bare)]


def test_the_declared_curve_stands_beside_the_one_that_was_found(charts):
    (rows,) = charts[0]["user: all that there were"].spec["datasets"].values()
    curves = pl.DataFrame(rows).group_by("by", maintain_order=True).agg("y")
    ends = {name: values[-1] for name, values in curves.rows()}
    assert set(ends) == {"measured", "Bass", "declared"}
    assert ends["Bass"] == pytest.approx(ends["measured"], rel=0.02)
    assert ends["declared"] == pytest.approx(6000 * share(np.array([364.0]), 0.6, 6.0)[0], rel=1e-6)


def test_without_a_scenario_a_diffusion_is_still_seen_where_there_is_one(charts):
    assert "user: births a day" in charts[1]
    assert "guest: births a day" not in charts[0]
    assert "guest: births a day" not in charts[1]
