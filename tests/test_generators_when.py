"""Conditional attributes: each case by its own generator, at its own rows."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import acting, facts, model, words

from sim.errors import ScenarioError

TIERS = {"segments": {"tier": {"vip": {"weight": 1}, "plain": {"weight": 2}, "budget": {"weight": 1}}}}
VIP = {"if": "tier = 'vip'", "then": {"type": "lognormal", "median": 90, "sigma": 0.5}}
BUDGET = {"if": "tier IN ('vip', 'budget')", "then": {"type": "exponential", "mean": 4}}


def drawn(attribute, **more):
    """What users of three tiers get."""
    attributes = {"tier": {"type": "expression", "sql": "tier"}, "x": attribute} | more
    return facts(acting(300, "2/day", TIERS, stream={"attributes": attributes}, end="2024-03-01"))


def test_each_case_has_its_own_distribution_and_the_first_that_holds_counts():
    act = drawn({"type": "when", "cases": [VIP, BUDGET], "else": {"type": "uniform", "low": 0, "high": 1}})
    tier, x = words(act, "tier"), act["x"].to_numpy()
    evidence.distributed(x[tier == "vip"], stats.lognorm(0.5, scale=90).cdf)
    evidence.distributed(x[tier == "budget"], stats.expon(scale=4).cdf)
    evidence.distributed(x[tier == "plain"], stats.uniform().cdf)


def test_shares_depend_on_the_row():
    pay = {"type": "choice", "values": {"card": 3, "cash": 1}}
    act = drawn(
        {"type": "when", "cases": [{"if": "tier = 'vip'", "then": {"type": "constant", "value": "card"}}], "else": pay}
    )
    tier, x = words(act, "tier"), words(act, "x")
    assert set(x[tier == "vip"]) == {"card"}
    evidence.share((x[tier != "vip"] == "card").sum(), (tier != "vip").sum(), 0.75)


def test_where_no_condition_holds_there_is_null():
    act = drawn({"type": "when", "cases": [VIP]})
    assert (act["x"].is_null().to_numpy() == (words(act, "tier") != "vip")).all()


def test_a_condition_that_is_null_does_not_hold():
    sometimes = {"type": "constant", "value": 1, "modifiers": [{"type": "null", "probability": 0.5}]}
    case = {"if": "a = 1", "then": {"type": "constant", "value": "one"}}
    act = drawn({"type": "when", "cases": [case], "else": {"type": "constant", "value": "none"}}, a=sometimes)
    assert ((words(act, "x") == "one") == act["a"].is_not_null().to_numpy()).all()
    assert act["a"].is_null().any()


def test_numbers_of_all_kinds_and_text_of_all_kinds_go_together():
    act = drawn({"type": "when", "cases": [VIP], "else": {"type": "poisson", "mean": 2}})
    assert act["x"].dtype == pl.Float64
    act = drawn(
        {"type": "when", "cases": [VIP | {"then": {"type": "uuid"}}], "else": {"type": "choice", "values": ["-"]}}
    )
    assert act["x"].dtype == pl.String
    assert ((act["x"] == "-").to_numpy() == (words(act, "tier") != "vip")).all()


def test_cases_may_hold_cases_lists_and_factors():
    inner = {"type": "when", "cases": [{"if": "age > 30", "then": {"type": "constant", "value": 2}}]}
    inner["else"] = {"type": "constant", "value": 1}
    outer = {
        "type": "when",
        "cases": [{"if": "tier = 'vip'", "then": inner}],
        "modifiers": [{"type": "multiply", "by": 10}],
    }
    act = drawn(outer | {"else": {"type": "constant", "value": 0}})
    assert set(act["x"]) == {0.0, 10.0, 20.0}
    many = {"type": "array", "of": {"type": "uuid"}, "count": 2}
    lists = drawn({"type": "when", "cases": [VIP | {"then": many}], "else": many | {"count": 1}})
    assert (lists["x"].list.len().to_numpy() == np.where(words(lists, "tier") == "vip", 2, 1)).all()


def test_a_case_more_leaves_the_cases_before_as_they_were():
    one, two = (drawn({"type": "when", "cases": cases}) for cases in ([VIP], [VIP, BUDGET]))
    assert one["x"].drop_nulls().equals(two.filter(pl.col("tier") == "vip")["x"])


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"cases": [VIP], "else": {"type": "uuid"}}, "x.else: gives text, but the case before gives numbers"),
        ({"cases": [VIP | {"if": "tier"}]}, r"x.cases\[0\].if: 'tier' is not a condition, but text"),
        ({"cases": [VIP | {"if": "teir = 'vip'"}]}, "'teir'.*did you mean 'tier'"),
        ({"cases": []}, "x.cases"),
        ({"cases": [VIP | {"then": {"type": "random_walk", "sd": 1}}]}, "must be an attribute of its own"),
    ],
)
def test_cases_that_do_not_fit_are_problems_with_their_place(attribute, message):
    stream = {"attributes": {"x": {"type": "when"} | attribute}}
    with pytest.raises(ScenarioError, match=message):
        model(acting(2, "1/day", TIERS, stream=stream))
