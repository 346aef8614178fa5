"""The tick and the blocks are how the engine works, and nothing that its facts show."""

from __future__ import annotations

from functools import lru_cache

import evidence
import numpy as np
import pytest
from scipy import stats
from worlds import END, START, acting, ages, days, facts, instants, per_entity, stays, tables

from sim.maths.units import DAY

LAYOUTS = [("1d", 1), ("30d", 4), ("400d", 16)]


@lru_cache
def world(tick, blocks):
    """Everything at once: births, ageing, frailty, segments, states, trend, season, children."""
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "20%/month"}]},
        "off": {"activity": 0.2, "transitions": [{"to": "on", "after": {"type": "gamma", "mean": "20d", "shape": 2}}]},
    }
    entity = {
        "initial": {"count": 300, "age": {"type": "exponential", "mean": "60d"}},
        "arrivals": {"rate": "1/day"},
        "frailty": {"type": "gamma", "shape": 3},
        "segments": {"tier": {"vip": {"weight": 1, "activity": 4}, "standard": {"weight": 3}}},
        "vintage": {"activity": {"type": "exponential", "rate": "-2%/day"}},
        "lifecycle": {"initial": "on", "states": states},
    }
    curves = [{"type": "exponential", "rate": "100%/year"}, {"type": "hour_of_day", "weights": [1] * 12 + [3] * 12}]
    child = {"count": {"type": "poisson", "mean": 1}, "after": {"type": "exponential", "mean": "5d"}}
    stream = {"curves": curves, "children": {"line": child}}
    return tables(acting(0, "2/day", entity, stream=stream, tick=tick, blocks=blocks))


@pytest.fixture(params=LAYOUTS[1:], ids=["30d-4", "400d-16"])
def both(request):
    """The same world, by days in one block, and in another layout."""
    return world(*LAYOUTS[0]), world(*request.param)


def test_births_have_the_same_times(both):
    evidence.alike(*(days(run["user"], column="born_at") for run in both))


def test_changes_of_state_have_the_same_times_and_dwell_times(both):
    evidence.alike(*(days(run["user_lifecycle"]) for run in both))
    evidence.alike(*(stays(run).of("off").length for run in both))


def test_facts_per_entity_have_the_same_distribution(both):
    counts = [per_entity(run["act"], run["user"].height)[run["user"]["user_id"]] for run in both]
    edges = [0, 1, 2, 4, 8, 16, 32, 64, 10_000]
    evidence.same_shares(*(np.histogram(count, edges)[0] for count in counts))


def test_one_fact_an_entity_has_the_same_time_and_age(both):
    # Facts of one entity depend on each other through its frailty: take the last of each.
    last = [run["act"].unique("user_id", keep="last", maintain_order=True) for run in both]
    evidence.alike(*(days(frame) for frame in last))
    evidence.alike(*(ages(frame, run["user"]) for frame, run in zip(last, both, strict=True)))


def test_facts_have_the_same_hours(both):
    hours = [np.bincount(run["act"]["event_time"].dt.hour().to_numpy(), minlength=24) for run in both]
    evidence.same_shares(*hours)


def test_children_have_the_same_delays(both):
    delays = []
    for run in both:
        line = run["line"].join(run["act"].select("act_id", since="event_time"), on="act_id")
        delays.append((instants(line) - instants(line, "since")) / DAY)
    evidence.alike(*delays)


@pytest.mark.parametrize(("tick", "blocks"), [("1h", 1), ("7d", 64), ("400d", 3)])
def test_the_edges_of_ticks_are_not_to_be_seen(tick, blocks):
    act = facts(acting(300, "10/day", tick=tick, blocks=blocks, end="2024-02-01"))
    times = instants(act)
    evidence.poisson(len(times), 300 * 10 * 31)
    evidence.distributed((times - START) / (31 * DAY), "uniform")
    evidence.distributed(np.diff(times) / DAY * 3000, "expon")


def test_counts_of_disjoint_intervals_are_independent_within_and_across_ticks():
    act = facts(acting(100, "3/day", tick="7d"))
    counts = np.histogram(instants(act), np.linspace(START, END, 366 * 2 + 1))[0]
    evidence.near(np.corrcoef(counts[:-1], counts[1:])[0, 1], 1 / np.sqrt(len(counts)), 0.0)
    dispersion = ((counts - 150) ** 2 / 150).sum()
    assert evidence.ALPHA / 2 < stats.chi2(len(counts)).cdf(dispersion) < 1 - evidence.ALPHA / 2


def test_every_block_does_its_share():
    act = facts(acting(4000, "10/year", blocks=16))
    evidence.proportions(np.bincount(act["user_id"].to_numpy() % 16, minlength=16), np.ones(16))
