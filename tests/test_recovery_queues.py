"""Waiting times are those of queueing theory.

Waits of neighbours resemble each other, so the evidence is in half days, which are longer than any queue here
remembers: per half day, the sum of a quantity minus its expectation per case. These are nearly independent, and their
mean is 0.
"""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy.special import factorial
from test_resources import desk
from worlds import START, instants, tables, words

HALF_DAY = 12 * 3_600_000_000
MINUTE_RATE = 60.0


def halves(times, values, expected):
    """By half day of `times`: the sum of `values` minus what was expected; without the first day."""
    number = (times - START) // HALF_DAY
    return np.bincount(number, weights=values - expected)[2:-1]


def check(frame, values, expected):
    """`values` of the visits `frame` have this mean."""
    evidence.mean(halves(instants(frame, "queued_at"), np.asarray(values, dtype=float), expected), 0.0)


def office(capacity, per_minute, service, step=None, days=90, **parts):
    """The visits to a desk with so many servers and Poisson arrivals, and the whole run."""
    rate = f"{per_minute * MINUTE_RATE / 1000}/hour"
    end = str(np.datetime64("2024-01-01") + days)
    run = tables(desk(service, rate, {"capacity": capacity}, step, count=1000, end=end, **parts))
    return run["call_service"], run


def waited(frame):
    return frame["waited_s"].to_numpy() / 60


def exponential(minutes):
    return {"type": "exponential", "mean": f"{minutes}min"}


def erlang_c(servers, load):
    """The probability of waiting in M/M/c (Erlang 1917)."""
    below = sum(load**k / factorial(k) for k in range(servers))
    all_busy = load**servers / factorial(servers) * servers / (servers - load)
    return all_busy / (below + all_busy)


@pytest.mark.parametrize("tick", ["6h", "30d"])
def test_one_exponential_server_is_m_m_1(tick):
    frame, _ = office(1, 0.6, exponential(1), tick=tick)
    check(frame, waited(frame), 0.6 / (1 - 0.6))
    check(frame, waited(frame) > 0, 0.6)


@pytest.mark.parametrize("tick", ["6h", "30d"])
def test_several_exponential_servers_are_m_m_c(tick):
    frame, _ = office(4, 0.75, exponential(4), tick=tick)
    probability = erlang_c(4, 3.0)
    check(frame, waited(frame) > 0, probability)
    check(frame, waited(frame), probability / (4 / 4 - 0.75))


@pytest.mark.parametrize(("shape", "squared"), [(0.5, 3.0), (4, 1.25)])
def test_one_server_with_any_service_obeys_pollaczek_and_khinchine(shape, squared):
    frame, _ = office(1, 0.5, {"type": "gamma", "mean": "1min", "shape": shape})
    check(frame, waited(frame), 0.5 * squared / (2 * (1 - 0.5)))


def test_the_impatient_leave_as_often_as_erlang_a_says():
    patience, servers, arrivals, served = exponential(3), 3, 1.2, 1 / 3
    frame, run = office(servers, arrivals, exponential(3), {"patience": patience})
    weights = [1.0]
    for people in range(1, 200):
        weights.append(weights[-1] * arrivals / (min(people, servers) * served + max(people - servers, 0) / 3))
    share = np.array(weights) / sum(weights)
    queue = float(share @ np.maximum(np.arange(200) - servers, 0))
    reneged = (words(frame, "outcome") == "reneged").astype(float)
    check(frame, reneged, queue / 3 / arrivals)
    check(frame, waited(frame), queue / arrivals)
    assert len(run["call_service"]) > 100_000


def test_priorities_without_interruption_obey_cobham():
    segments = {"tier": {"vip": {"weight": 1}, "plain": {"weight": 2}}}
    step = {"priority": {"tier": {"vip": 0, "plain": 1}}}
    rate = f"{0.7 * MINUTE_RATE / 1000}/hour"
    doc = desk(exponential(1), rate, {"capacity": 1, "queue": "priority"}, step, 1000, end="2024-03-31", blocks=1)
    doc["entities"]["user"]["segments"] = segments
    run = tables(doc)
    tier = run["user"].select("user_id", "tier")
    frame = run["call_service"].join(tier, on="user_id", how="left", maintain_order="left")
    first = 0.7 * (words(tier, "tier") == "vip").mean()
    vip = frame.filter(pl.col("tier") == "vip")
    plain = frame.filter(pl.col("tier") == "plain")
    check(vip, waited(vip), 0.7 / (1 - first))
    check(plain, waited(plain), 0.7 / ((1 - first) * (1 - 0.7)))


def test_two_stations_in_a_row_are_each_m_m_1():
    steps = {"done": {"resource": "till", "service": exponential(1)}}
    doc = desk(exponential(1), f"{0.5 * MINUTE_RATE / 1000}/hour", {"capacity": 1}, None, 1000, steps=steps)
    doc["resources"]["till"] = {"capacity": 1}
    frame = tables({**doc, "end": "2024-03-31"})["call_service"].filter(pl.col("resource") == "till")
    check(frame, waited(frame), 0.5 / (1 - 0.5))


def test_cases_that_come_back_obey_jackson():
    step = {"next": [{"to": "ask", "probability": 0.5, "after": "30min"}, {"to": "done", "probability": 0.5}]}
    frame, _ = office(2, 0.15, exponential(4), step, days=30)
    load = 2 * 0.15 * 4
    assert len(frame) > 10_000
    check(frame, waited(frame), erlang_c(2, load) / (2 / 4 - 2 * 0.15))


def test_utilisation_and_the_queue_obey_little():
    _, run = office(4, 0.75, exponential(4))
    load = (
        run["resource_load"]
        .with_columns(day=pl.col("event_time").dt.date())
        .group_by("day")
        .agg(pl.col("busy", "capacity", "waiting").mean())
    )
    evidence.mean(load["busy"].to_numpy() / load["capacity"].to_numpy(), 0.75)
    evidence.mean(load["waiting"].to_numpy(), 0.75 * erlang_c(4, 3.0) / (1 - 0.75))


def test_a_capacity_that_changes_serves_as_much_as_it_can():
    hours = [1] * 12 + [3] * 12
    doc = desk("10min", "0.2/hour", {"capacity": hours}, count=100, end="2024-02-01")
    load = tables(doc)["resource_load"].with_columns(hour=pl.col("event_time").dt.hour())
    crowded = load.filter(pl.col("hour").is_between(4, 12))
    assert crowded["busy"].min() > 1 - 1e-9
    assert load.filter(pl.col("hour").is_between(14, 23))["busy"].min() > 3 - 1e-9
