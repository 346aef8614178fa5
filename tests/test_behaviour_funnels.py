"""Processes, what follows from facts, and queues are measured as declared."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, model, scenario

from benchmarks.sound import CASES
from sim.quality.behaviours.walks import walks_of


def mean(length):
    return {"type": "exponential", "mean": length}


CALL = scenario(
    entities={"user": {**CASES["entities"]["client"], "initial": {"count": 300}}},
    streams={
        "order": {
            "entity": "user",
            "rate": "1/month",
            "attributes": {"amount": {"type": "uniform", "low": 0, "high": 10}},
            "children": {"line": {"count": {"type": "poisson", "mean": 2, "min": 1}}},
        },
        "refund": {
            "entity": "user",
            "on": {"stream": "order", "where": "amount > 5", "probability": 0.4, "after": mean("60d")},
        },
    },
    processes={"buy": {**CASES["processes"]["buy"], "entity": "user"}},
    resources=CASES["resources"],
)
VISIT = "processes.buy.steps.visit.next.0"
OTHERWISE = {
    "ways": ("funnels", f"{VISIT}.probability", 0.5),
    "delays": ("funnels", "processes.buy.steps.search.next.1.after.mean", "4d"),
    "way_segments": ("funnels", f"{VISIT}.segments.tier.vip.probability", 1.0),
    "first_steps": ("funnels", "processes.buy.first.visit", 1.2),
    "service_times": ("queueing", "processes.buy.steps.paid.service.shape", 1),
    "capacity": ("queueing", "resources.clerk.capacity", 2),
    "waits": ("queueing", "resources.clerk.capacity", 4),
    "followers": ("followers", "streams.refund.on.probability", 0.6),
    "follower_counts": (
        "followers",
        "streams.order.children.line.count",
        {"type": "geometric", "mean": 2.0, "min": 1},
    ),
}


@cache
def calls():
    return facts_of(CALL)


@pytest.mark.parametrize("kind", ["funnels", "followers", "queueing", "rates"])
def test_good_facts_raise_no_alarm(kind):
    assert failed(kind, CALL, calls()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_declaration_is_found_by_the_check_for_it(name):
    kind, path, value = OTHERWISE[name]
    assert name in failed(kind, changed(CALL, path, value), calls())


@pytest.mark.parametrize("name", ["first_steps", "service_times", "capacity", "waits"])
def test_and_by_no_other(name):
    kind, path, value = OTHERWISE[name]
    assert failed(kind, changed(CALL, path, value), calls()) == {name}


def test_another_delay_of_facts_that_follow_is_found():
    assert "delays" in failed("followers", changed(CALL, "streams.refund.on.after.mean", "30d"), calls())


def test_who_is_overtaken_in_a_queue_by_arrival_is_seen():
    run = facts_of(CALL)
    visits = pl.from_arrow(run.db.sql("FROM buy_service ORDER BY queued_at").to_arrow_table())
    begins = visits["queued_at"] + (visits["waited_s"] * 1e6).cast(pl.Duration("us"))
    both_wait = (visits["queued_at"].shift(-1) < begins) & (begins < begins.shift(-1))
    place, queued = int(both_wait.arg_max()), visits["queued_at"].to_list()
    queued[place], queued[place + 1] = queued[place + 1], queued[place]
    swapped = visits.with_columns(pl.Series("queued_at", queued, visits.schema["queued_at"]))
    waited = (begins - swapped["queued_at"]).dt.total_microseconds() / 1e6
    run.db.register("buy_service", swapped.with_columns(waited.alias("waited_s")).to_arrow())
    assert failed("queueing", CALL, run) == {"waits"}


def test_cases_in_flight_are_expected_to_be():
    (way,) = (f for f in measured("funnels", CALL, calls()) if (f.name, f.subject) == ("ways", "buy: visit to cart"))
    naive = calls().db.execute(
        "SELECT (SELECT count(*) FROM buy WHERE step = 'cart') / (SELECT count(*) FROM buy WHERE step = 'visit')"
    )
    assert way.low < 0.4 < way.high
    assert naive.fetchone()[0] != pytest.approx(0.4, abs=0.05)


def test_steps_know_what_came_before():
    walks = walks_of(calls(), model(CALL), model(CALL).flows[0])
    counted = model(CALL).flows[0].counted
    searches = walks.visits[:, counted.index(1)]
    assert searches.max() == 3
    assert np.all(searches[walks.index == 0] == (walks.steps[walks.index == 0] == 1))


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(CALL, "entities.user.initial.count", 120)
    for kind in ("funnels", "followers", "queueing"):
        assert uneven(p_values(kind, small, range(SEED * 1000, SEED * 1000 + max(SEEDS // 3, 5)))) == {}
