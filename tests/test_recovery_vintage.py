"""Behaviour depends on the exact age, and on the cohort, however long the ticks are."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from worlds import END, START, acting, ages, facts, instants, tables

from sim.maths.units import DAY

YEAR = 365.25
LEVELS = [1.0, 0.5, 3.0, 0.0, 2.0]
STEPS = {"type": "points", "values": LEVELS, "per": "17d"}
GROWING = {"initial": {"count": 200}, "arrivals": {"rate": "5/day"}}


def exposure(births, edges, start=START, end=END):
    """Days that all entities together spend at the ages between `edges` (in days) during the run."""
    born = (instants(births, "born_at")[:, None] - start) / DAY
    low = np.maximum(edges[:-1] + born, 0)
    high = np.minimum(edges[1:] + born, (end - start) / DAY)
    return np.maximum(high - low, 0).sum(axis=0)


def aged(run, edges):
    return np.histogram(ages(run["act"], run["user"]), edges)[0]


@pytest.mark.parametrize("tick", ["6h", "30d", "400d"])
def test_steps_of_age_hold_at_the_exact_age(tick):
    run = tables(acting(200, "1/day", GROWING | {"vintage": {"activity": STEPS}}, tick=tick))
    edges = np.append(np.arange(0, 102, 1.0), 366)
    level = np.append(np.repeat(LEVELS, 17), np.full(17, 2.0))
    evidence.levels(aged(run, edges), exposure(run["user"], edges) * level)


def test_activity_begins_at_birth_and_not_before():
    run = tables(acting(0, "6/day", {"arrivals": {"rate": "2000/day"}}, tick="30d", end="2024-01-08"))
    edges = np.append(np.arange(0, 25.0), 24 * 7) / 24
    evidence.levels(aged(run, edges), exposure(run["user"], edges, end=START + 7 * DAY) * 6)
    assert ages(run["act"], run["user"]).min() >= 0


@settings(max_examples=5, derandomize=True, deadline=None)
@given(st.sampled_from(["1d", "30d"]), st.integers(-40, 20))
def test_exponential_ageing_is_continuous_within_a_tick(tick, percent):
    activity = {"type": "exponential", "rate": f"{percent}%/day"}
    entity = {"initial": None, "arrivals": {"rate": "50/day"}, "vintage": {"activity": activity}}
    run = tables(acting(0, "10/day", entity, tick=tick, end="2024-01-31"))
    edges = np.arange(0, 30.5, 0.5)
    growth = np.log1p(percent / 100)
    born = (instants(run["user"], "born_at")[:, None] - START) / DAY
    high = np.minimum(edges[1:], 30 - born)
    mass = np.expm1(growth * high) - np.expm1(growth * edges[:-1]) if percent else high - edges[:-1]
    mass = np.where(high > edges[:-1], mass / (growth or 1), 0).sum(axis=0) * 10
    kept = mass > 5
    evidence.levels(aged(run, edges)[kept], mass[kept])


@pytest.mark.parametrize(
    ("curve", "level"),
    [
        ({"type": "linear", "rate": "-1%/day"}, lambda age: np.maximum(1 - age / 100, 0)),
        ({"type": "logarithmic", "a": 1.0, "b": 0.5, "per": "10d"}, lambda age: 1 + 0.5 * np.log1p(age / 10)),
        ({"type": "weibull", "scale": "50d", "shape": 0.7}, lambda age: np.exp(-((age / 50) ** 0.7))),
        (
            {"type": "logistic", "from": 2, "to": 0.5, "midpoint": "100d", "width": "40d"},
            lambda age: 2 - 1.5 / (1 + 81 ** (-(age - 100) / 40)),
        ),
        ({"type": "power", "exponent": -0.5, "per": "10d"}, lambda age: (1 + age / 10) ** -0.5),
    ],
)
def test_every_curve_over_age_is_recovered(curve, level):
    run = tables(acting(500, "1/day", {"vintage": {"activity": curve}}, tick="30d"))
    edges = np.arange(0, 366, 6.0)
    grids = np.linspace(edges[:-1], edges[1:], 2001)
    evidence.levels(aged(run, edges), np.trapezoid(level(grids), grids, axis=0) * 500)


def test_cohorts_age_alike_whenever_they_are_born():
    run = tables(acting(0, "1/day", {"arrivals": {"rate": "10/day"}, "vintage": {"activity": STEPS}}, tick="30d"))
    edges = np.append(17.0 * np.arange(5), 366)
    cohort = (instants(run["user"], "born_at") - START) // (61 * DAY)
    of_fact = cohort[run["act"]["user_id"].to_numpy()]
    for born in range(6):
        people = run["user"].filter(cohort == born)
        observed = np.histogram(ages(run["act"], run["user"])[of_fact == born], edges)[0]
        evidence.levels(observed, exposure(people, edges) * LEVELS)


def test_those_who_are_old_at_the_start_are_as_active_as_their_age_says():
    old = {"initial": {"count": 3000, "age": {"type": "exponential", "mean": "60d"}}, "vintage": {"activity": STEPS}}
    run = tables(acting(0, "1/day", old, tick="30d", end="2024-01-15"))
    edges = np.append(np.arange(0, 85, 2.0), 1000)
    grids = np.linspace(edges[:-1], edges[1:], 1000, endpoint=False)
    level = np.array(LEVELS)[np.minimum(grids // 17, 4).astype(int)].mean(axis=0)
    # A bin that holds a step gets its mean level only roughly, so leave those out.
    whole = np.ptp(np.minimum(grids // 17, 4), axis=0) == 0
    expected = exposure(run["user"], edges, end=START + 14 * DAY) * level
    evidence.levels(aged(run, edges)[whole], expected[whole])


def test_a_cohort_curve_multiplies_by_the_time_of_birth():
    entity = {"arrivals": {"rate": "10/day"}, "vintage": {"cohort": {"type": "exponential", "rate": "300%/year"}}}
    run = tables(acting(0, "1/day", entity, tick="30d"))
    born = (instants(run["user"], "born_at") - START) / DAY
    counts = np.bincount(run["act"]["user_id"].to_numpy(), minlength=len(born))
    offset = np.log(366 - born)
    fit = sm.GLM(counts, sm.add_constant(born / YEAR), family=sm.families.Poisson(), offset=offset).fit()
    evidence.near(fit.params[0], fit.bse[0], 0.0)
    evidence.near(fit.params[1], fit.bse[1], np.log(4))


def test_a_stream_can_age_in_its_own_way():
    world = acting(300, "1/day", {"vintage": {"activity": STEPS}}, stream={"vintage": {"type": "constant", "value": 2}})
    world["streams"]["other"] = {"entity": "user", "rate": "1/day"}
    run = tables(world)
    evidence.poisson(run["act"].height, 300 * 366 * 2)
    evidence.poisson(run["other"].height, 300 * (17 * sum(LEVELS[:4]) + (366 - 68) * 2))


def test_values_grow_with_age():
    entity = {"arrivals": {"rate": "5/day"}, "vintage": {"value": {"type": "logarithmic", "b": 0.15, "per": "month"}}}
    attributes = {"amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "value": True}}
    run = tables(acting(0, "20/year", entity, stream={"attributes": attributes}))
    factor = 1 + 0.15 * np.log1p(ages(run["act"], run["user"]) / (YEAR / 12))
    evidence.distributed(run["act"]["amount"].to_numpy() / factor, stats.lognorm(0.8, scale=35).cdf)


def test_values_follow_curves_over_time():
    attributes = {
        "amount": {"type": "uniform", "low": 1, "high": 2, "curves": [{"type": "linear", "rate": "100%/year"}]}
    }
    act = facts(acting(50, "1/day", stream={"attributes": attributes}))
    elapsed = (instants(act) - START) / DAY / YEAR
    evidence.distributed(act["amount"].to_numpy() / (1 + elapsed), stats.uniform(1, 1).cdf)
