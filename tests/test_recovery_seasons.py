"""Seasons follow the clock on the wall and the civil calendar, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import evidence
import numpy as np
import polars as pl
import pytest
from worlds import acting, facts

PARIS = ZoneInfo("Europe/Paris")
DAILY = [2, 1, 30, 1, 1, 2, 4, 7, 9, 11, 12, 13, 14, 13, 12, 12, 13, 14, 16, 18, 17, 14, 10, 0]
WEEKLY = [1, 1, 1, 1.1, 1.3, 2.5, 0]


def civil_hours(first, until):
    """The civil time at the beginning of every hour in [first, until), dates in Paris."""
    moment = datetime.fromisoformat(first).replace(tzinfo=PARIS).astimezone(UTC)
    last = datetime.fromisoformat(until).replace(tzinfo=PARIS).astimezone(UTC)
    hours = round((last - moment) / timedelta(hours=1))
    return [(moment + timedelta(hours=hour)).astimezone(PARIS) for hour in range(hours)]


def in_paris(frame):
    return frame["event_time"].dt.convert_time_zone("Europe/Paris")


def seasonal(count, rate, curve, first, until, **parts):
    return acting(count, rate, stream={"curves": [curve]}, timezone="Europe/Paris", start=first, end=until, **parts)


@pytest.mark.parametrize(("first", "until"), [("2024-03-30", "2024-04-02"), ("2024-10-26", "2024-10-29")])
@pytest.mark.parametrize("tick", ["1h", "30d"])
def test_hours_of_the_day_follow_the_clock_where_it_changes(first, until, tick):
    curve = {"type": "hour_of_day", "weights": DAILY}
    act = facts(seasonal(1000, "10/day", curve, first, until, tick=tick))
    hours = civil_hours(first, until)
    levels = np.bincount([moment.hour for moment in hours], minlength=24) * DAILY
    observed = np.bincount(in_paris(act).dt.hour().to_numpy(), minlength=24)
    evidence.levels(observed, levels / np.mean(DAILY) * 1000 * 10 / 24)


def test_an_hour_that_comes_twice_is_busy_twice():
    curve = {"type": "hour_of_day", "weights": DAILY}
    act = facts(seasonal(2000, "10/day", curve, "2024-10-27", "2024-10-28"))
    second = (in_paris(act).dt.hour() == 2) & (in_paris(act).dt.base_utc_offset() == pl.duration(hours=1))
    utc = act.filter(second)["event_time"].dt.hour().to_numpy()
    evidence.levels([(utc == 0).sum(), (utc == 1).sum()], np.full(2, 30 / np.mean(DAILY) * 2000 * 10 / 24))


def test_days_of_the_week_begin_at_civil_midnight():
    curve = {"type": "day_of_week", "weights": WEEKLY}
    act = facts(seasonal(500, "2/day", curve, "2024-03-01", "2024-05-01", tick="30d"))
    levels = np.bincount([moment.weekday() for moment in civil_hours("2024-03-01", "2024-05-01")], minlength=7)
    observed = np.bincount(in_paris(act).dt.weekday().to_numpy() - 1, minlength=7)
    evidence.levels(observed, levels * WEEKLY / np.mean(WEEKLY) * 500 * 2 / 24)


def test_days_of_the_month_have_their_weights():
    weights = [3.0, *[1.0] * 13, 5.0, *[1.0] * 15, 20.0]
    act = facts(seasonal(500, "1/day", {"type": "day_of_month", "weights": weights}, "2023-01-01", "2024-01-01"))
    levels = np.bincount([moment.day for moment in civil_hours("2023-01-01", "2024-01-01")], minlength=32)[1:]
    calendar = np.arange("2000-01-01", "2400-01-01", dtype="M8[D]")
    mean = np.mean(np.array(weights)[(calendar - calendar.astype("M8[M]")).astype(int)])
    observed = np.bincount(in_paris(act).dt.day().to_numpy(), minlength=32)[1:]
    evidence.levels(observed, levels * weights / mean * 500 / 24)


def test_months_have_their_weights():
    weights = [0.8, 0.8, 0.9, 1, 1, 1, 0.9, 0, 1, 1, 1.4, 1.8]
    act = facts(seasonal(500, "1/day", {"type": "month", "weights": weights}, "2023-01-01", "2025-01-01", tick="30d"))
    levels = np.bincount([moment.month - 1 for moment in civil_hours("2023-01-01", "2025-01-01")], minlength=12)
    calendar = np.arange("2000-01-01", "2400-01-01", dtype="M8[D]").astype("M8[M]").astype(int) % 12
    observed = np.bincount(in_paris(act).dt.month().to_numpy() - 1, minlength=12)
    evidence.levels(observed, levels * weights / np.mean(np.array(weights)[calendar]) * 500 / 24)


def test_a_season_does_not_change_the_level():
    curve = {"type": "hour_of_day", "weights": DAILY}
    act = facts(seasonal(100, "10/day", curve, "2023-01-01", "2024-01-01"))
    evidence.poisson(act.height, 100 * 10 * 365)


def test_holidays_last_from_midnight_to_midnight():
    curve = {"type": "holidays", "dates": {"2024-05-01": 3, "12-25": 0, "03-31": 2}}
    act = facts(seasonal(1000, "1/day", curve, "2024-01-01", "2025-01-01", tick="30d"))
    date = in_paris(act).dt.date().cast(pl.String)
    observed = [(date == f"2024-{day}").sum() for day in ("05-01", "12-25", "03-31", "04-30", "05-02")]
    # The clocks skip an hour of March 31st.
    evidence.levels(observed, np.array([3, 0, 2 * 23 / 24, 1, 1]) * 1000)
    evidence.poisson(act.height, 1000 * (366 + 2 - 1 + 23 / 24))
