"""Servers and queues, by themselves and in whole runs: exact statements, none of them statistical."""

from __future__ import annotations

import heapq

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import instants, model, population, scenario, tables

from sim.engine.resources import NEVER, OPEN, RENEGED, Queue, Servers
from sim.engine.routes import returns
from sim.model.queueing import Resource

HOUR = 3_600_000_000


def servers(*capacities, ranked=False, every=100):
    """Servers whose capacity changes every so many microseconds."""
    changes = np.arange(len(capacities), dtype=np.int64) * every
    return Servers(Resource("desk", ranked, changes, np.array(capacities, dtype=np.int64)))


def queue(arrived, service, deadline=None, priority=None):
    n = len(arrived)
    return Queue(
        np.array(arrived, dtype=np.int64),
        np.array(service, dtype=np.int64),
        np.full(n, NEVER) if deadline is None else np.array(deadline, dtype=np.int64),
        np.zeros(n) if priority is None else np.array(priority, dtype=np.float64),
    )


def simulated(arrived, service, patience, priority, capacities, every=100):
    """The same by an event calendar of the simplest kind: one event at a time."""
    capacity = [*capacities, *[capacities[-1]]]
    events = [(time, 2, n) for n, time in enumerate(arrived)]
    events += [(place * every, 0, -1) for place in range(len(capacities))]
    heapq.heapify(events)
    busy, waiting, started = 0, [], [RENEGED] * len(arrived)
    while events:
        now, kind, n = heapq.heappop(events)
        busy -= kind == 1
        if kind == 2:
            waiting.append((priority[n], n))
        while waiting and busy < capacity[min(now // every, len(capacities) - 1)]:
            if events and events[0][0] == now:
                break  # whatever else happens now comes before the choice
            n = min(waiting)[1]
            waiting.remove(min(waiting))
            if now - arrived[n] <= patience[n]:
                started[n] = now
                busy += 1
                heapq.heappush(events, (now + service[n], 1, n))
    return started


cases = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 90), st.integers(0, 120), st.integers(0, 3)), min_size=1, max_size=40
)


@pytest.mark.parametrize("ranked", [False, True])
@given(some=cases, capacities=st.lists(st.integers(0, 3), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_servers_agree_with_a_calendar_of_events(ranked, some, capacities):
    capacities = [*capacities, 2]
    some = sorted(some)
    arrived, service, patience, priority = (list(column) for column in zip(*some, strict=True))
    ranks = priority if ranked else [0] * len(some)
    given_ = queue(arrived, service, np.array(arrived) + patience, ranks)
    found = servers(*capacities, ranked=ranked).serve(given_, 10**9)
    assert found.tolist() == simulated(arrived, service, patience, ranks, capacities)


@given(some=cases, capacity=st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_a_steady_capacity_is_no_special_case(some, capacity):
    arrived, service, patience, _ = (list(column) for column in zip(*sorted(some), strict=True))
    for deadline in (None, np.array(arrived) + patience):
        one = servers(capacity).serve(queue(arrived, service, deadline), 10**9)
        other = servers(capacity, capacity).serve(queue(arrived, service, deadline), 10**9)
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("ranked", [False, True])
@given(some=cases, cuts=st.lists(st.integers(1, 500), max_size=4), capacity=st.integers(1, 2))
@settings(max_examples=100, deadline=None)
def test_windows_leave_no_trace(ranked, some, cuts, capacity):
    arrived, service, patience, priority = (np.array(column) for column in zip(*sorted(some), strict=True))
    whole = servers(capacity, ranked=ranked).serve(queue(arrived, service, arrived + patience, priority), 10**9)
    desk, started = servers(capacity, ranked=ranked), np.full(len(arrived), OPEN)
    for until in [*sorted(set(cuts)), 10**9]:
        now = np.flatnonzero((arrived < until) & (started == OPEN))
        some_now = queue(arrived[now], service[now], (arrived + patience)[now], priority[now])
        started[now] = desk.serve(some_now, until) if len(now) else started[now]
    assert started.tolist() == whole.tolist()


def test_nobody_is_served_where_the_last_shift_is_over():
    assert servers(1, 0).serve(queue([10, 50, 150], [20, 80, 10]), 10**9).tolist() == [10, 50, NEVER]


def desk(service="10min", rate="0.05/hour", resource=None, step=None, count=300, **parts):
    """Users who come to a desk, are served, and are done."""
    ask = {"resource": "desk", "service": service, "next": [{"to": "done"}], **(step or {})}
    steps = {"ask": ask, "done": {}, **parts.pop("steps", {})}
    process = {"entity": "user", "start": {"rate": rate}, "steps": steps, **parts.pop("process", {})}
    return scenario(
        entities=population(count, **parts.pop("entity", {})),
        resources={"desk": {"capacity": 3, **(resource or {})}},
        processes={"call": process},
        end=parts.pop("end", "2024-01-15"),
        **parts,
    )


EXPONENTIAL = {"type": "exponential", "mean": "10min"}


def visits(run, process="call"):
    """Visits in the order of arrival, with times in microseconds: queued, begun, ended; begun is ended for reneged."""
    frame = run[f"{process}_service"].sort("queued_at")
    queued, ended = instants(frame, "queued_at"), instants(frame)
    begun = queued + np.round(frame["waited_s"].to_numpy() * 1e6).astype(np.int64)
    return frame, queued, begun, ended


def test_who_comes_first_is_served_first():
    _, queued, begun, _ = visits(tables(desk(EXPONENTIAL)))
    assert len(queued) > 3_000
    assert (np.diff(queued) > 0).all()
    assert (np.diff(begun) >= 0).all()


def busy_at(times, begun, ended):
    """How many are in service just after each of `times`."""
    return np.searchsorted(np.sort(begun), times, side="right") - np.searchsorted(np.sort(ended), times, side="right")


@pytest.mark.parametrize("queue_", ["fifo", "priority"])
def test_nobody_waits_while_a_server_is_idle_and_no_more_are_served_than_there_are_servers(queue_):
    step = {"priority": "urgency"} if queue_ == "priority" else {}
    process = {"attributes": {"urgency": {"type": "uniform", "low": 0, "high": 1}}}
    run = tables(desk(EXPONENTIAL, "0.055/hour", {"queue": queue_}, step, process=process))
    _, queued, begun, ended = visits(run)
    busy = busy_at(np.concatenate([queued, begun, ended]), begun, ended)
    waiting = busy_at(np.concatenate([queued, begun, ended]), queued, begun)
    known = np.concatenate([queued, begun, ended]) < ended.max() - HOUR
    assert busy.max() == 3
    assert (waiting[known] > 0).sum() > 1_000
    assert (busy[known & (waiting > 0)] == 3).all()


def test_the_lower_number_goes_first():
    process = {"attributes": {"urgency": {"type": "integer", "low": 1, "high": 3}}, "cases": True}
    run = tables(desk(EXPONENTIAL, "0.055/hour", {"queue": "priority"}, {"priority": "urgency"}, process=process))
    urgency = run["call"].filter(pl.col("step") == "ask").select("call_case_id", "urgency")
    frame, queued, begun, _ = visits(run)
    rank = frame.join(urgency, on="call_case_id", how="left", maintain_order="left")["urgency"].to_numpy()
    for place in np.flatnonzero(begun > queued)[:500]:
        others = (queued < begun[place]) & (begun > begun[place])
        assert (rank[others] >= rank[place]).all()


def test_the_step_is_the_arrival_and_the_next_follows_the_service():
    run = tables(desk(EXPONENTIAL))
    steps = run["call"].pivot("step", index="call_case_id", values="event_time")
    frame = run["call_service"].join(steps, on="call_case_id")
    assert (frame["queued_at"] == frame["ask"]).all()
    assert (frame["event_time"] == frame["done"]).all()
    spent = instants(frame) - instants(frame, "queued_at")
    assert np.abs(spent / 1e6 - (frame["waited_s"] + frame["served_s"]).to_numpy()).max() < 1e-5


def test_who_loses_patience_goes_elsewhere_or_ends():
    step = {"patience": "5min", "reneged": "lost"}
    run = tables(desk(EXPONENTIAL, "0.08/hour", step=step, steps={"lost": {}}))
    frame, *_ = visits(run)
    lost = frame.filter(pl.col("outcome") == "reneged")
    assert len(lost) > 500
    assert (lost["waited_s"] == 300).all()
    assert lost["served_s"].is_null().all()
    assert set(lost["call_case_id"]) == set(run["call"].filter(pl.col("step") == "lost")["call_case_id"])
    silent = tables(desk(EXPONENTIAL, "0.08/hour", step={"patience": "5min"}))
    assert (silent["call_service"]["outcome"] == "reneged").sum() == len(lost)


def test_the_load_is_that_of_the_visits():
    run = tables(desk(EXPONENTIAL, end="2024-01-04"))
    _, queued, begun, ended = visits(run)
    load = run["resource_load"]
    assert len(load) == 71
    for number, row in enumerate(load.head(20).iter_rows(named=True)):
        at = int(instants(load)[number])
        inside = np.minimum(ended, at) - np.maximum(begun, at - HOUR)
        queueing = np.minimum(begun, at) - np.maximum(queued, at - HOUR)
        assert row["busy"] == pytest.approx(np.maximum(inside, 0).sum() / HOUR)
        assert row["waiting"] == pytest.approx(np.maximum(queueing, 0).sum() / HOUR)
        assert row["capacity"] == 3


def test_capacity_follows_the_hours_of_the_day_and_a_curve():
    hours = [0] * 8 + [2] * 8 + [1] * 8
    week = {"type": "points", "points": {"2024-01-01": 1, "2024-01-08": 2.5}, "interpolation": "step"}
    run = tables(desk("3min", "0.01/hour", {"capacity": hours, "calendar": week}, timezone="Europe/Paris"))
    by_hour = run["resource_load"].with_columns(
        pl.col("event_time").dt.convert_time_zone("Europe/Paris").dt.offset_by("-1h").alias("since")
    )
    daily = by_hour.group_by(pl.col("since").dt.date().alias("day")).agg(pl.col("capacity").sum())
    assert set(daily.filter(pl.col("day") == pl.date(2024, 1, 3))["capacity"]) == {24}
    assert set(daily.filter(pl.col("day") == pl.date(2024, 1, 10))["capacity"]) == {8 * 5 + 8 * 2}
    _, _, begun, _ = visits(run)
    assert ((begun // HOUR + 1) % 24 >= 8).all()


def test_service_without_a_resource_is_time_in_the_step():
    doc = scenario(
        entities=population(200),
        end="2024-01-15",
        processes={
            "call": {
                "entity": "user",
                "start": {"rate": "1/day"},
                "steps": {"talk": {"service": "3h", "next": [{"to": "done", "after": "1h"}]}, "done": {}},
            }
        },
    )
    steps = tables({**doc, "tick": "5h"})["call"].pivot("step", index="call_case_id", values="event_time").drop_nulls()
    assert len(steps) > 2_000
    assert (steps["done"] - steps["talk"]).unique().to_list() == [pl.Series([0]).cast(pl.Duration).item() + _hours(4)]


def _hours(count):
    from datetime import timedelta

    return timedelta(hours=count)


def test_cases_that_come_back_queue_in_the_order_of_time():
    step = {"next": [{"to": "ask", "probability": 0.5, "after": "30min"}, {"to": "done", "probability": 0.5}]}
    run = tables(desk(EXPONENTIAL, "0.05/hour", step=step, count=100, end="2024-01-08", tick="1d"))
    frame, queued, begun, ended = visits(run)
    assert (frame["step_index"] > 0).sum() > 300
    assert (np.diff(begun) >= 0).all()
    times = queued[queued < ended.max() - 2 * HOUR]
    assert busy_at(times, begun, ended).max() <= 3


def test_processes_that_share_a_resource_queue_together_and_others_do_not():
    doc = desk(EXPONENTIAL, "0.03/hour")
    doc["processes"]["visit"] = {
        **doc["processes"]["call"],
        "steps": {"ask": {**doc["processes"]["call"]["steps"]["ask"], "next": []}},
    }
    run = tables(doc)
    both = [visits(run, name) for name in ("call", "visit")]
    queued, begun, ended = (np.concatenate([one[i] for one in both]) for i in (1, 2, 3))
    order = np.argsort(queued)
    assert (np.diff(begun[order]) >= 0).all()
    assert busy_at(begun, begun, ended).max() == 3


def test_a_resource_behind_another_gets_its_arrivals_in_time_order():
    doc = desk(EXPONENTIAL, "0.04/hour", steps={"done": {"resource": "till", "service": EXPONENTIAL}})
    doc["resources"]["till"] = {"capacity": 2}
    run = tables({**doc, "tick": "7h"})
    frame = run["call_service"].filter(pl.col("resource") == "till")
    _, _, begun, _ = visits({"call_service": frame})
    assert len(frame) > 3_000
    assert (np.diff(begun) >= 0).all()


@pytest.mark.parametrize(("target", "least"), [("done", NEVER), ("ask", HOUR // 2)])
def test_a_resource_is_come_back_to_only_where_a_way_leads_there_from_itself(target, least):
    step = {"next": [{"to": target, "probability": 0.5, "after": "30min"}]}
    door = {"next": {"ask": 0.9, "done": 0.1}}
    flow = model(desk(EXPONENTIAL, step=step, steps={"door": door}, process={"first": "door"})).flows[0]
    assert returns(flow, [0]).tolist() == [least, NEVER, NEVER]


def test_the_same_seed_gives_the_same_queue():
    doc = desk(EXPONENTIAL, "0.06/hour", {"queue": "priority"}, {"priority": 1, "patience": EXPONENTIAL})
    one, other = tables(doc), tables(doc)
    assert all(one[name].equals(other[name]) for name in one)
