"""Attributes that facts set: what others read is what an independent replay of the setting facts says, at any time."""

from __future__ import annotations

from functools import lru_cache

import duckdb
import evidence
import numpy as np
import polars as pl
import pytest
from worlds import END, START, days, model, population, scenario, tables

from sim.maths.units import DAY

PLANS = ["a", "b", "c", "d"]


def world():
    """Users whose plans, levels and points change, their accounts, and products whose prices walk."""
    choice = {"type": "choice", "values": PLANS}
    user = {
        "initial": {"count": 300},
        "arrivals": {"rate": "1/day"},
        "attributes": {
            "plan": {"type": "choice", "values": PLANS[:3]},
            "level": {"type": "uniform", "low": 0, "high": 1},
            "points": {"type": "constant", "value": 0},
            "city": {"type": "faker", "provider": "city", "modifiers": [{"type": "null", "probability": 0.2}]},
        },
        "segments": {"tier": {"vip": {"weight": 1, "activity": 4}, "plain": {"weight": 3}}},
    }
    account = {
        "parent": "user",
        "arrivals": {"per_parent": 1, "after": {"type": "exponential", "mean": "60d"}},
        "attributes": {"first_plan": {"type": "expression", "sql": "user.plan"}},
    }
    product = {"initial": {"count": 30}, "attributes": {"price": {"type": "uniform", "low": 50, "high": 90}}}
    reads = {"plan": {"type": "expression", "sql": "user.plan"}, "city": {"type": "expression", "sql": "user.city"}}
    walk = {"type": "random_walk", "start": "product.price", "drift": 0.2, "sd": 0.5, "per": "day"}
    move = {"type": "faker", "provider": "city", "modifiers": [{"type": "null", "probability": 0.5}]}
    shop = {
        "product": {"type": "lookup", "entity": "product"},
        "price": {"type": "expression", "sql": "product.price"},
    }
    streams = {
        "visit": {"entity": "user", "rate": "4/month", "attributes": reads | shop},
        "invoice": {"entity": "account", "every": "1 month", "attributes": reads},
        "plan_change": {
            "entity": "user",
            "rate": "0.5/month",
            "attributes": {"plan": choice, "old": {"type": "expression", "sql": "user.plan"}},
            "sets": {"plan": "plan"},
        },
        "move": {"entity": "user", "rate": "1/month", "attributes": {"city": move}, "sets": {"city": "city"}},
        "mail": {"entity": "user", "on": {"stream": "plan_change", "after": "9d"}, "attributes": reads},
        "upgrade": {"entity": "account", "rate": "1/month", "sets": {"user.level": "user.level + 1"}},
        "look": {
            "entity": "user",
            "rate": "2/month",
            "attributes": {"level": {"type": "expression", "sql": "user.level"}},
        },
        "pricing": {"entity": "product", "every": "1 day", "attributes": {"price": walk}, "sets": {"price": "price"}},
    }
    steps = {
        "start": {"next": [{"to": "paid", "probability": 0.6, "after": {"type": "exponential", "mean": "2d"}}]},
        "paid": {"sets": {"points": "user.points + 1"}},
    }
    each = {"points": {"type": "expression", "sql": "user.points"}}
    processes = {"checkout": {"entity": "user", "start": {"rate": "2/month"}, "each": each, "steps": steps}}
    entities = {"user": user, "account": account, "product": product}
    return scenario(entities=entities, streams=streams, processes=processes, tick="11d")


@lru_cache(maxsize=1)
def run():
    return tables(world())


def replayed(reader, history, column, key="user_id", value=None, strictly=False):
    """What `reader` read as `column`, beside what `history` (key, event_time, value) says of that moment."""
    frames = {"reader": reader, "history": history}
    compare = ">" if strictly else ">="
    with duckdb.connect() as database:
        for name, frame in frames.items():
            database.register(name, frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).to_arrow())
        sql = f"""
            SELECT r.{column} AS seen, h.{value or column} AS said, h.event_time IS NULL AS unknown
            FROM reader r ASOF LEFT JOIN history h ON r.{key} = h.{key} AND r.event_time {compare} h.event_time"""
        found = database.sql(sql).pl()
    assert not found["unknown"].any()
    return found


def history(kind, column, changes, key=None):
    """Births and changes of one attribute."""
    key = key or f"{kind}_id"
    parts = [run()[name].select(key, "event_time", pl.col(column).cast(pl.String)) for name in (kind, *changes)]
    return pl.concat(parts)


@pytest.mark.parametrize("stream", ["visit", "mail"])
@pytest.mark.parametrize(("column", "setter"), [("plan", "plan_change"), ("city", "move")])
def test_facts_read_the_attribute_as_of_their_own_time(stream, column, setter):
    found = replayed(run()[stream], history("user", column, [setter]), column)
    assert found["seen"].eq_missing(found["said"]).all()
    assert len(found) > 1_000


def test_facts_of_children_read_the_ancestors_attribute_as_of_their_own_time():
    accounts = run()["account"].select("account_id", "user_id")
    invoices = run()["invoice"].join(accounts, on="account_id")
    found = replayed(invoices, history("user", "plan", ["plan_change"]), "plan")
    assert found["seen"].eq(found["said"]).all()


def test_children_are_born_with_what_the_ancestor_has_then():
    found = replayed(run()["account"], history("user", "plan", ["plan_change"]), "first_plan", value="plan")
    assert found["seen"].eq(found["said"]).all()
    assert (run()["account"]["event_time"] > run()["user"]["event_time"].min()).sum() > 100


def test_lookups_read_the_attribute_as_of_the_event_time():
    found = replayed(run()["visit"], history("product", "price", ["pricing"]), "price", key="product_id")
    assert np.array_equal(found["seen"].to_numpy(), found["said"].cast(pl.Float64).to_numpy())


def test_what_a_fact_sets_itself_it_reads_as_it_was_before():
    found = replayed(run()["plan_change"], history("user", "plan", ["plan_change"]), "old", value="plan", strictly=True)
    assert found["seen"].eq(found["said"]).all()


def test_a_sum_over_the_facts_of_children_is_exact_within_and_between_windows():
    """Each upgrade of any of the accounts adds 1 to what the user's level was."""
    upgrades = run()["upgrade"].join(run()["account"].select("account_id", "user_id"), on="account_id")
    counted = upgrades.sort("event_time").with_columns(number=pl.int_range(pl.len()).over("user_id") + 1)
    parts = [run()["user"].select("user_id", "event_time", number=pl.lit(0, dtype=pl.Int64)), counted.select(
        "user_id", "event_time", "number"
    )]  # fmt: skip
    looks = run()["look"].join(run()["user"].select("user_id", born="level"), on="user_id")
    found = replayed(
        looks.with_columns(added=pl.col("level") - pl.col("born")), pl.concat(parts), "added", value="number"
    )
    assert np.allclose(found["seen"], found["said"])
    assert found["said"].max() > 5


def test_steps_see_how_often_others_were_passed_before():
    steps = run()["checkout"].sort("event_time", "checkout_id")
    paid = steps.with_columns(pl.col("step").cast(pl.String) == "paid")
    before = paid.with_columns(expected=pl.col("step").cum_sum().over("user_id") - pl.col("step").cast(pl.Int64))
    assert before["points"].eq(before["expected"]).all()
    assert before["points"].max() > 5


def test_changes_come_at_the_declared_rate_of_each_segment():
    """Exposure times rate: 0.5 a month, times the segment's activity."""
    births = run()["user"]
    for tier, factor in (("vip", 4), ("plain", 1)):
        born = births.filter(pl.col("tier") == tier)
        exposure = (END - START) / DAY - days(born)
        changes = run()["plan_change"].join(born.select("user_id"), on="user_id")
        evidence.poisson(len(changes), exposure.sum() * 0.5 * 12 / 365.25 * factor)


def test_times_between_changes_are_exponential():
    vips = run()["user"].filter((pl.col("tier") == "vip") & (pl.col("event_time").to_physical() == START))
    first = (
        run()["plan_change"]
        .join(vips.select("user_id"), on="user_id")
        .group_by("user_id")
        .agg(pl.col("event_time").min())
    )
    # Nearly everybody has a first change within the year: 2 a month.
    assert len(first) >= len(vips) - 1
    evidence.distributed(days(first), "expon", 0, 365.25 / 24)


def test_prices_walk_with_the_declared_drift_and_sigma():
    prices = run()["pricing"].sort("product_id", "event_time")
    steps = prices.with_columns(step=pl.col("price").diff().over("product_id"))["step"].drop_nulls().to_numpy()
    evidence.mean(steps, 0.2)
    evidence.mean((steps - 0.2) ** 2, 0.25)


def test_plan_shows_setters_before_readers():
    order = model(world()).order[0].split(" -> ")
    assert max(order.index("plan_change"), order.index("move")) < min(order.index("visit"), order.index("mail"))
    assert not any("cycle" in line for line in model(world()).order)


def ring(**parts):
    """Two streams that change what they read of each other, and a stream that follows from itself in a ring."""
    entity = {"attributes": {"x": {"type": "constant", "value": 0}, "y": {"type": "constant", "value": 0}}}
    read = {"type": "expression", "sql": "user.x"}
    streams = {
        "up": {"entity": "user", "rate": "9/month", "attributes": {"seen": read}, "sets": {"x": "user.x + 2"}},
        "down": {"entity": "user", "rate": "6/month", "attributes": {"seen": read}, "sets": {"x": "user.x - 1"}},
    }
    return scenario(entities=population(200, **entity), streams=streams | parts, tick="20d")


def test_streams_that_change_what_they_read_of_each_other_are_exact():
    made = tables(ring())
    both = pl.concat([made["up"].select("user_id", "event_time", "seen", by=pl.lit(2)),
                      made["down"].select("user_id", "event_time", "seen", by=pl.lit(-1))])  # fmt: skip
    both = both.sort("event_time").with_columns(before=pl.col("by").cum_sum().over("user_id") - pl.col("by"))
    assert both["seen"].eq(both["before"]).all()
    assert both["before"].max() > 20


def test_a_cycle_takes_effect_at_the_next_tick_and_plan_says_so():
    """What follows from a stream sets what the stream reads: it sees what was set before the tick."""
    attributes = {"y": {"type": "expression", "sql": "user.y"}}
    count = {"entity": "user", "rate": "9/month", "attributes": attributes}
    echo = {"entity": "user", "on": "act", "sets": {"y": "user.y + 1"}}
    made = ring(act=count, echo=echo)
    late = [line for line in model(made).order if "cycle" in line]
    assert late == ["act: user.y as set by echo takes effect at the next tick (a cycle)"]
    act = tables(made)["act"].with_columns(tick=(pl.col("event_time").to_physical() - START) // (20 * DAY))
    per_tick = act.group_by("user_id", "tick").agg(pl.len(), pl.col("y").min(), most=pl.col("y").max()).sort("tick")
    assert per_tick["y"].eq(per_tick["most"]).all()
    so_far = per_tick.with_columns(before=pl.col("len").cum_sum().over("user_id") - pl.col("len"))
    assert so_far["y"].eq(so_far["before"]).all()
