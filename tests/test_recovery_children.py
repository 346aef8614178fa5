"""Facts that follow from facts: how many, how late, and what they know."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
from scipy import stats
from worlds import END, acting, instants, micros, tables

from sim.maths.units import DAY


def lines(child, rate="10/year", count=300, **parts):
    return tables(acting(count, rate, stream={"children": {"line": child}}, **parts))


def fan(run):
    """How many lines each act has."""
    place = run["act"]["act_id"].to_numpy().argsort()
    found = np.searchsorted(run["act"]["act_id"].to_numpy()[place], run["line"]["act_id"].to_numpy())
    return np.bincount(found, minlength=run["act"].height)


@pytest.mark.parametrize(
    ("count", "law"),
    [
        ({"type": "poisson", "mean": 2, "min": 1}, stats.poisson(2)),
        ({"type": "poisson", "mean": 0.7}, stats.poisson(0.7)),
        ({"type": "uniform", "low": 2, "high": 4}, stats.randint(2, 5)),
        ({"type": "geometric", "mean": 1.5, "min": 1}, stats.geom(1 / 2.5, -1)),
        ({"type": "geometric", "mean": 3, "min": 2, "max": 5}, stats.geom(1 / 4, -1)),
    ],
)
def test_counts_have_their_distribution_between_their_limits(count, law):
    counts = fan(lines({"count": count}))
    low, high = count.get("min", 0), count.get("max", 6)
    shares = law.pmf(np.arange(low, high + 1))
    shares[0], shares[-1] = law.cdf(low), law.sf(high - 1)
    evidence.proportions(np.bincount(np.clip(counts, None, high), minlength=high + 1)[low:], shares)
    assert counts.min() >= low


def test_a_fixed_count_is_the_same_for_all():
    run = lines({"count": 3})
    assert (fan(run) == 3).all()
    assert (np.repeat(instants(run["act"]), 3) == instants(run["line"])).all()


def test_a_fact_has_children_with_their_probability():
    counts = fan(lines({"count": 2, "probability": "20%"}))
    assert set(counts) == {0, 2}
    evidence.share((counts == 2).sum(), len(counts), 0.2)


@pytest.mark.parametrize("tick", ["1d", "30d", "400d"])
def test_delays_have_their_distribution_also_across_ticks(tick):
    after = {"type": "lognormal", "median": "9d", "sigma": 0.6}
    run = lines({"after": after}, count=200, tick=tick)
    line = run["line"].join(run["act"].select("act_id", parent_time="event_time"), on="act_id")
    delay = (instants(line) - instants(line, "parent_time")) / DAY
    # Of early facts no child comes after the end of the run.
    early = instants(line, "parent_time") < micros("2024-10-01")
    evidence.distributed(delay[early], stats.lognorm(0.6, scale=9).cdf)
    assert early.sum() == (instants(run["act"]) < micros("2024-10-01")).sum()


def test_children_that_would_come_after_the_end_do_not_come():
    run = lines({"after": "30d"}, tick="7d")
    assert run["line"].height == (instants(run["act"]) < END - 30 * DAY).sum()


def test_grandchildren_follow_children():
    part = {"count": {"type": "uniform", "low": 1, "high": 3}, "after": "2d"}
    run = lines({"count": 2, "after": "40d", "children": {"part": part}}, tick="30d")
    chain = run["part"].join(run["line"].select("line_id", "act_id", line_time="event_time"), on="line_id")
    chain = chain.join(run["act"].select("act_id", act_time="event_time", owner="user_id"), on="act_id")
    assert chain.height == run["part"].height
    assert (instants(chain) - instants(chain, "line_time") == 2 * DAY).all()
    assert (instants(chain, "line_time") - instants(chain, "act_time") == 40 * DAY).all()
    assert (chain["owner"] == chain["user_id"]).all()
    early = instants(run["line"]) < END - 2 * DAY
    evidence.mean(np.bincount(chain["line_id"].rank("dense").to_numpy() - 1), 2.0)
    assert chain["line_id"].n_unique() == early.sum()


def test_children_know_the_fact_that_they_follow_from():
    amount = {"type": "lognormal", "median": 10, "sigma": 1}
    share = {"type": "expression", "sql": "act.amount / 2"}
    child = {"count": 2, "after": {"type": "exponential", "mean": "20d"}, "attributes": {"half": share}}
    world = acting(200, "10/year", tick="7d", stream={"attributes": {"amount": amount}, "children": {"line": child}})
    run = tables(world)
    both = run["line"].join(run["act"].select("act_id", "amount"), on="act_id")
    assert both.height == run["line"].height > 0
    assert (both["half"] == both["amount"] / 2).all()


def test_several_kinds_of_children_do_not_know_of_each_other():
    kinds = {"line": {"count": {"type": "poisson", "mean": 1}}, "note": {"probability": 0.5}}
    run = tables(acting(500, "10/year", stream={"children": kinds}))
    notes = np.isin(run["act"]["act_id"].to_numpy(), run["note"]["act_id"].to_numpy())
    counts = fan(run)
    evidence.same_shares(np.bincount(counts[notes], minlength=9), np.bincount(counts[~notes], minlength=9))
