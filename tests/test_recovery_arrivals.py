"""Births: Poisson with curves, exact totals, diffusion, children of parents."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from worlds import START, days, instants, model, population, scenario, tables

from sim.engine.simulate import simulate
from sim.maths.units import DAY

YEAR = 365.25


def born(arrivals, **parts):
    entity = {"initial": None, "arrivals": arrivals}
    return tables(scenario(entities={"user": entity}, **parts))["user"]


@pytest.mark.parametrize("tick", ["1d", "30d"])
def test_births_at_a_rate_are_a_poisson_process(tick):
    users = born({"rate": "10/day"}, tick=tick)
    evidence.poisson(users.height, 3660)
    evidence.distributed(np.diff(instants(users)) / DAY * 10, "expon")
    assert (users["event_time"] == users["born_at"]).all()


def test_births_follow_curves():
    curves = [{"type": "exponential", "rate": "200%/year"}, {"type": "day_of_week", "weights": [1, 1, 1, 1, 3, 0, 0]}]
    users = born({"rate": "20/day", "curves": curves}, tick="30d")
    day = np.arange(366)
    trend = (3 ** ((day + 1) / YEAR) - 3 ** (day / YEAR)) / np.log(3) * YEAR
    expected = 20 * trend * np.array([1, 1, 1, 1, 3, 0, 0])[day % 7]
    evidence.levels(np.bincount(days(users).astype(int), minlength=366), expected)


@settings(max_examples=4, derandomize=True, deadline=None)
@given(st.integers(0, 20_000), st.sampled_from(["1d", "30d", "400d"]))
def test_a_total_is_exact_whatever_the_tick(total, tick):
    assert born({"total": total}, tick=tick).height == total


@pytest.mark.parametrize("tick", ["1d", "30d", "400d"])
def test_a_total_has_the_shape_of_its_curves(tick):
    curves = [
        {"type": "linear", "rate": "300%/year"},
        {"type": "window", "from": "2024-06-01", "until": "2024-07-01", "factor": 0},
    ]
    users = born({"total": 20_000, "curves": curves}, tick=tick)
    edges = np.arange(0, 367, 1.0)
    expected = np.diff(edges + 1.5 * edges**2 / YEAR)
    expected[152:182] = 0
    evidence.proportions(np.histogram(days(users), edges)[0], expected)


def test_totals_of_different_seeds_differ_in_time_only():
    world = model(scenario(entities={"user": {"arrivals": {"total": 500}}}))
    runs = [np.concatenate([batch.data["event_time"].to_numpy() for batch in simulate(world, seed)]) for seed in (1, 2)]
    assert len(runs[0]) == len(runs[1]) == 500
    assert (runs[0] != runs[1]).any()


@pytest.mark.parametrize(("p", "q"), [(0.03, 0.38), (0.1, 0.9), (0.5, 0.1)])
def test_a_diffusion_has_its_coefficients_and_its_market(p, q):
    arrivals = {"diffusion": {"type": "bass", "market": 40_000, "p": f"{p}/year", "q": f"{q}/year"}}
    users = born(arrivals, start="2000-01-01", end="2020-01-01", tick="30d")
    years = (instants(users) - instants(users).min()) / DAY / YEAR
    edges = np.linspace(0, 20, 201)
    counts = np.histogram(years, edges)[0]

    def increments(_, p, q, market):
        decay = np.exp(-(p + q) * edges)
        return market * np.diff((1 - decay) / (1 + q / p * decay))

    sigma = np.sqrt(np.maximum(increments(0, p, q, 40_000), 1))
    found, covariance = optimize.curve_fit(increments, None, counts, (0.05, 0.5, 30_000), sigma, absolute_sigma=True)
    for estimate, error, declared in zip(found, np.sqrt(np.diag(covariance)), (p, q, 40_000), strict=True):
        evidence.near(estimate, error, declared)


def family(per_parent, **arrivals):
    entities = population(3000) | {"account": {"parent": "user", "arrivals": {"per_parent": per_parent, **arrivals}}}
    return tables(scenario(entities=entities, tick="30d"))


def test_children_per_parent_have_their_distribution():
    run = family({"type": "poisson", "mean": 1.4, "min": 1})
    counts = np.bincount(run["account"]["user_id"].to_numpy(), minlength=3000)
    shares = stats.poisson.pmf(np.arange(6), 1.4)
    shares[1] += shares[0]
    expected = [*shares[1:5], 1 - shares[1:5].sum()]
    evidence.proportions([*((counts == n).sum() for n in range(1, 5)), (counts >= 5).sum()], expected)
    assert counts.min() == 1


def test_children_are_born_after_their_delay_whatever_the_tick():
    run = family(2, after={"type": "gamma", "mean": "50d", "shape": 2})
    delay = (instants(run["account"]) - START) / DAY
    within = stats.gamma(2, scale=25)
    evidence.share(len(delay), 6000, within.cdf(366))
    evidence.distributed(delay, lambda day: within.cdf(day) / within.cdf(366))


def test_children_of_those_who_exist_at_the_start_may_be_old_too():
    entities = population(1000) | {"account": {"parent": "user", "arrivals": {"per_parent": 1, "after": "100d"}}}
    entities["user"]["initial"]["age"] = {"type": "uniform", "low": "0d", "high": "200d"}
    run = tables(scenario(entities=entities))
    assert run["account"].height == 1000
    births = instants(run["user"], "born_at")[run["account"]["user_id"].to_numpy()]
    assert (instants(run["account"], "born_at") == births + 100 * DAY).all()
    assert (instants(run["account"]) == np.maximum(births + 100 * DAY, START)).all()


def test_grandchildren_are_born_after_their_parents():
    entities = population(50, arrivals={"rate": "1/day"}) | {
        "account": {"parent": "user", "arrivals": {"per_parent": 2, "after": {"type": "exponential", "mean": "20d"}}},
        "card": {
            "parent": "account",
            "arrivals": {"per_parent": {"type": "uniform", "low": 0, "high": 3}, "after": "3h"},
        },
    }
    run = tables(scenario(entities=entities, tick="30d"))
    account, card = run["account"], run["card"]
    births = instants(account, "born_at")[card["account_id"].to_numpy()]
    assert (instants(card, "born_at") == births + 3 * 3_600_000_000).all()
    evidence.mean(np.bincount(card["account_id"].to_numpy(), minlength=account.height), 1.5)


def test_ages_at_the_start_have_their_distribution_and_are_never_negative():
    users = tables(
        scenario(
            entities=population(4000, initial={"count": 4000, "age": {"type": "normal", "mean": "10d", "sd": "10d"}})
        )
    )["user"]
    ages = (START - instants(users, "born_at")) / DAY
    assert ages.min() == 0
    evidence.share((ages == 0).sum(), 4000, stats.norm.cdf(-1))
    evidence.distributed(ages[ages > 0], stats.truncnorm(-1, np.inf, 10, 10).cdf)
    assert (instants(users) == START).all()
