"""Births are measured as declared: at a rate, in all, by a diffusion, and as many as a parent has."""

from __future__ import annotations

from functools import cache

import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, scenario

TOWN = scenario(
    curves={"growth": {"type": "exponential", "rate": "50%/year"}},
    entities={
        "user": {"initial": {"count": 20}, "arrivals": {"rate": "4/day", "curves": ["growth"]}},
        "site": {"arrivals": {"total": 700}},
        "fan": {"arrivals": {"diffusion": {"type": "bass", "market": 2000, "p": "0.1/year", "q": "6/year"}}},
        "pet": {
            "parent": "user",
            "arrivals": {
                "per_parent": {"type": "poisson", "mean": 1.4, "min": 1},
                "after": {"type": "lognormal", "median": "20d", "sigma": 0.6},
            },
        },
        "card": {"parent": "user", "arrivals": {"per_parent": 2}},
    },
)
OTHERWISE = {
    "births": ("entities.user.arrivals.rate", "5/day"),
    "births_time": ("curves.growth.rate", "-30%/year"),
    "initial_entities": ("entities.user.initial.count", 21),
    "followers": ("entities.card.arrivals.per_parent", 3),
    "delay": ("entities.pet.arrivals.after.sigma", 1.0),
    "follower_counts": ("entities.pet.arrivals.per_parent", {"type": "uniform", "low": 1, "high": 2}),
}


@cache
def town():
    return facts_of(TOWN)


def test_good_facts_raise_no_alarm():
    assert failed("births", TOWN, town()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_declaration_is_found_by_the_check_for_it(name):
    assert name in failed("births", changed(TOWN, *OTHERWISE[name]), town())


@pytest.mark.parametrize("name", ["births", "births_time", "initial_entities"])
def test_and_by_no_other(name):
    assert failed("births", changed(TOWN, *OTHERWISE[name]), town()) == {name}


def test_another_diffusion_is_found_and_estimated():
    spread = "entities.fan.arrivals.diffusion"
    assert "adoption" in failed("births", changed(TOWN, f"{spread}.q", "4/year"), town())
    (finding,) = (f for f in measured("births", TOWN, town()) if f.name == "adoption")
    assert 1600 < finding.estimate < 2500
    assert "least squares give p" in finding.detail


def test_p_values_are_uniform_where_facts_are_as_declared():
    assert uneven(p_values("births", TOWN, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
