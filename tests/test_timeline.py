from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.maths.instants import microseconds, parse_instant
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR

ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Casablanca",
]
EPOCH = datetime(1970, 1, 1)


def timeline(zone: str = "Europe/Paris", start: str = "2023-01-01", end: str = "2026-01-01") -> Timeline:
    return Timeline(parse_instant(start), parse_instant(end), ZoneInfo(zone))


def civil(us: int, zone: str) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(parse_instant("1990-01-01"), parse_instant("2040-01-01")), min_size=1, max_size=20))
def test_local_times_are_those_of_the_standard_library(zone, instants):
    found = timeline(zone).local(np.array(instants, dtype=np.int64))
    assert [EPOCH + timedelta(microseconds=int(us)) for us in found] == [civil(us, zone) for us in instants]


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)), min_size=1, max_size=20))
def test_civil_times_become_instants_as_in_the_standard_library(zone, moments):
    local = np.array([(moment - EPOCH) // timedelta(microseconds=1) for moment in moments], dtype=np.int64)
    expected = [microseconds(moment.replace(tzinfo=ZoneInfo(zone), fold=0)) for moment in moments]
    assert timeline(zone).utc(local).tolist() == expected


def test_clock_changes_are_found_to_the_microsecond():
    found = timeline().transitions(parse_instant("2024-01-01"), parse_instant("2025-01-01"))
    assert found.tolist() == [parse_instant("2024-03-31T01:00:00Z"), parse_instant("2024-10-27T01:00:00Z")]


def test_a_skipped_hour_does_not_begin_and_a_repeated_one_lasts_twice_as_long():
    spring = timeline().civil_breaks(
        parse_instant("2024-03-30T23:00:00Z"), parse_instant("2024-03-31T22:00:00Z"), "hour"
    )
    autumn = timeline().civil_breaks(
        parse_instant("2024-10-26T22:00:00Z"), parse_instant("2024-10-27T23:00:00Z"), "hour"
    )
    assert (len(spring), len(autumn)) == (22, 23)
    assert sorted(np.diff(autumn) // HOUR) == [1] * 21 + [2]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["hour", "day", "week", "month", "quarter", "year"])
def test_a_civil_unit_begins_exactly_where_the_clock_says_so(zone, unit):
    line = timeline(zone)
    begins = line.civil_breaks(parse_instant("2017-01-01"), parse_instant("2019-06-01"), unit)
    assert (np.diff(begins) > 0).all()
    for before, after in (
        (civil(int(us) - 1, zone), civil(int(us), zone)) for us in begins[:: max(len(begins) // 300, 1)]
    ):
        assert label(before, unit) != label(after, unit)
    for low, high in pairwise(begins[:: max(len(begins) // 300, 1)][:50]):
        inside = begins[(begins >= low) & (begins <= high)]
        assert all(
            label(civil(int(a), zone), unit) == label(civil(int(b) - 1, zone), unit) for a, b in pairwise(inside)
        )


def label(moment: datetime, unit: str) -> tuple[int, ...]:
    if unit == "week":
        return tuple(moment.isocalendar()[:2])
    if unit == "quarter":
        return (moment.year, (moment.month - 1) // 3)
    parts = {"year": 1, "month": 2, "day": 3, "hour": 4}[unit]
    return moment.timetuple()[:parts]


def test_a_day_that_begins_at_one_begins_at_the_clock_change():
    begins = timeline("America/Sao_Paulo").civil_breaks(
        parse_instant("2017-10-14T12:00:00Z"), parse_instant("2017-10-15T12:00:00Z"), "day"
    )
    assert begins.tolist() == [parse_instant("2017-10-15T03:00:00Z")]


def test_breaks_are_strictly_inside_the_interval():
    line = timeline("UTC")
    day = parse_instant("2024-05-01")
    assert line.civil_breaks(day, day + DAY, "day").tolist() == []
    assert line.civil_breaks(day, day + DAY + 1, "day").tolist() == [day + DAY]
    assert line.civil_breaks(day, day, "hour").tolist() == []


def test_nothing_in_gives_nothing_out():
    empty = np.empty(0, dtype=np.int64)
    assert len(timeline().local(empty)) == len(timeline().utc(empty)) == 0
