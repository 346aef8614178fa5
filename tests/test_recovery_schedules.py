"""Schedules are regular: by age from birth, or by the civil calendar."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import evidence
import numpy as np
import pytest
from scipy import stats
from worlds import END, START, instants, micros, scenario, stays, tables

from sim.maths.units import DAY, HOUR, MONTH, WEEK


def scheduled(every, entity=None, **parts):
    """A run in which every user does `act` on a schedule."""
    entities = {"user": {"initial": {"count": 40}, **(entity or {})}}
    return tables(
        scenario(
            entities=entities, streams={"act": {"entity": "user", "every": every, **parts.pop("stream", {})}}, **parts
        )
    )


@pytest.mark.parametrize("tick", ["1d", "30d", "400d"])
def test_a_schedule_counts_whole_periods_from_birth(tick):
    entity = {
        "initial": {"count": 40, "age": {"type": "uniform", "low": "0d", "high": "90d"}},
        "arrivals": {"rate": "1/day"},
    }
    run = scheduled({"period": "2 weeks", "offset": "3d"}, entity, tick=tick)
    born = instants(run["user"], "born_at")
    first = np.maximum(-((born + 3 * DAY - START) // (2 * WEEK)), 1)
    last = np.maximum(-((born + 3 * DAY - END) // (2 * WEEK)), 1)
    assert (np.bincount(run["act"]["user_id"].to_numpy(), minlength=len(born)) == last - first).all()
    since = instants(run["act"]) - born[run["act"]["user_id"].to_numpy()] - 3 * DAY
    assert (since % (2 * WEEK) == 0).all()
    assert since.min() >= 2 * WEEK


def test_a_month_from_birth_is_a_mean_month():
    run = scheduled("1 month")
    steps = np.unique(np.diff(np.sort(instants(run["act"]))))
    assert steps.tolist() == [0, MONTH]


@pytest.mark.parametrize("tick", ["1d", "30d"])
def test_the_calendars_months_begin_in_civil_time(tick):
    every = {"period": "1 month", "anchor": "calendar", "offset": "24d 7h 30min"}
    run = scheduled(every, timezone="Europe/Paris", tick=tick)
    paris = ZoneInfo("Europe/Paris")
    expected = [datetime(2024, month, 25, 7, 30, tzinfo=paris) for month in range(1, 13)]
    found = run["act"].group_by("event_time").len().sort("event_time")
    assert found["event_time"].dt.convert_time_zone("Europe/Paris").to_list() == expected
    assert set(found["len"]) == {40}


def test_weeks_begin_on_monday_at_civil_midnight():
    run = scheduled({"period": "1 week", "anchor": "calendar"}, timezone="Europe/Paris")
    local = run["act"]["event_time"].unique().sort().dt.convert_time_zone("Europe/Paris")
    assert local.dt.weekday().unique().to_list() == [1]
    assert local.dt.time().unique().to_list() == [time(0)]
    assert np.unique(np.diff(local.dt.date().to_physical())).tolist() == [7]


def test_days_are_civil_days_where_clocks_change():
    every = {"period": "1 day", "anchor": "calendar", "offset": "6h"}
    run = scheduled(every, timezone="Europe/Paris", start="2024-10-20", end="2024-11-03")
    moments = run["act"]["event_time"].unique().sort().dt.convert_time_zone("Europe/Paris")
    first = date(2024, 10, 20)
    assert moments.dt.date().to_list() == [first + timedelta(days=day) for day in range(14)]
    assert moments.dt.time().unique().to_list() == [time(6)]
    assert np.unique(np.diff(moments.to_physical())).tolist() == [24 * HOUR, 25 * HOUR]


@pytest.mark.parametrize(
    ("first", "until", "hours"), [("2024-03-30", "2024-04-01", 47), ("2024-10-26", "2024-10-28", 49)]
)
@pytest.mark.parametrize("tick", ["10min", "6h", "1d"])
def test_hours_go_on_in_even_steps_where_clocks_change(first, until, hours, tick):
    every = {"period": "30 minutes", "anchor": "calendar", "offset": "20h"}
    run = scheduled(every, timezone="Europe/Paris", start=first, end=until, tick=tick)
    moments = np.unique(instants(run["act"]))
    assert len(moments) == 2 * hours
    assert np.unique(np.diff(moments)).tolist() == [HOUR // 2]


def test_whoever_is_not_born_yet_waits_for_the_next_boundary():
    run = scheduled(
        {"period": "1 month", "anchor": "calendar"}, {"initial": None, "arrivals": {"rate": "2/day"}}, tick="30d"
    )
    boundaries = [micros(f"2024-{month:02}-01") for month in range(1, 13)]
    born = instants(run["user"], "born_at")
    expected = len(boundaries) - np.searchsorted(boundaries, born, side="left")
    assert (np.bincount(run["act"]["user_id"].to_numpy(), minlength=len(born)) == expected).all()


@pytest.mark.parametrize("tick", ["1d", "30d"])
def test_jitter_delays_by_its_distribution_also_across_ticks(tick):
    jitter = {"type": "exponential", "mean": "2d"}
    run = scheduled({"period": "1 month", "anchor": "calendar", "jitter": jitter}, tick=tick)
    boundaries = np.array([micros(f"2024-{month:02}-01") for month in range(1, 13)])
    # In half a year nobody is late by a month.
    early = np.sort(instants(run["act"]))[: 40 * 6]
    delay = (early - np.repeat(boundaries[:6], 40)) / DAY
    evidence.distributed(np.concatenate([d[d < 25] for d in np.split(delay, 6)]), stats.expon(scale=2).cdf)
    assert run["act"].height == 40 * 12


def test_scheduled_facts_happen_with_their_probability():
    run = scheduled({"period": "1 day", "anchor": "calendar", "probability": "35%"})
    evidence.share(run["act"].height, 40 * 366, 0.35)
    counts = np.bincount(run["act"]["user_id"].to_numpy(), minlength=40)
    evidence.near(counts.var(ddof=1), 366 * 0.35 * 0.65 * np.sqrt(2 / 39), 366 * 0.35 * 0.65)


@pytest.mark.parametrize("tick", ["1d", "400d"])
def test_schedules_hold_in_states_that_allow_them_at_the_exact_time(tick):
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "1/month"}]},
        "off": {"activity": 0, "transitions": [{"to": "on", "hazard": "2/month"}]},
    }
    run = scheduled(
        {"period": "6 hours", "anchor": "calendar"}, {"lifecycle": {"initial": "on", "states": states}}, tick=tick
    )
    on = stays(run).of("on")
    boundaries = np.arange(START, END, 6 * HOUR)
    expected = np.searchsorted(boundaries, on.left) - np.searchsorted(boundaries, on.entered)
    assert run["act"].height == expected.sum()
    assert run["act"].unique(["event_time", "user_id"]).height == run["act"].height


def test_a_schedule_can_be_limited_to_states():
    states = {"on": {"transitions": [{"to": "off", "after": "100d 1h"}]}, "off": {}}
    entity = {"lifecycle": {"initial": "on", "states": states}}
    run = scheduled({"period": "1 day", "anchor": "calendar"}, entity, stream={"states": ["off"]})
    assert instants(run["act"]).min() == START + 101 * DAY
    assert run["act"].height == 40 * (366 - 101)
