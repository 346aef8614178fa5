"""Values are multiplied as declared: by segment, by age, over time."""

from __future__ import annotations

from functools import cache

import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, acting

SALES = acting(
    300,
    "3/month",
    {
        "segments": {"tier": {"vip": {"weight": 0.3, "value": 3.0}, "standard": {"weight": 0.7}}},
        "initial": {"count": 300, "age": {"type": "exponential", "mean": "200d"}},
        "vintage": {"value": {"type": "logarithmic", "a": 1, "b": 0.15, "per": "month"}},
    },
    curves={"prices": {"type": "exponential", "rate": "20%/year"}},
    stream={
        "attributes": {
            "amount": {
                "type": "lognormal",
                "median": 35,
                "sigma": 0.8,
                "value": True,
                "modifiers": [{"type": "round", "digits": 2}],
            },
            "price": {"type": "gamma", "mean": 10, "shape": 2, "curves": ["prices"]},
            "label": {"type": "expression", "sql": "amount * 2", "value": True},
        }
    },
)
OTHERWISE = {
    "value_segments": ("entities.user.segments.tier.vip.value", 2.0),
    "value_ages": ("entities.user.vintage.value.b", 0.6),
    "value_time": ("curves.prices.rate", "-20%/year"),
}


@cache
def sales():
    return facts_of(SALES)


def test_good_facts_raise_no_alarm():
    assert failed("values", SALES, sales()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_factor_is_found_by_the_check_for_it_and_by_no_other(name):
    assert failed("values", changed(SALES, *OTHERWISE[name]), sales()) == {name}


def test_a_factor_is_estimated_with_an_interval():
    (finding,) = (f for f in measured("values", SALES, sales()) if f.subject == "act.amount, tier")
    assert finding.declared == 3.0
    assert finding.low < finding.estimate < finding.high
    assert 2.7 < finding.estimate < 3.3


def test_what_is_computed_is_not_measured():
    (finding,) = (f for f in measured("values", SALES, sales()) if f.subject == "act.label")
    assert not finding.measured


def test_p_values_are_uniform_where_facts_are_as_declared():
    assert uneven(p_values("values", SALES, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
