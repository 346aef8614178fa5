from __future__ import annotations

import math
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sim.maths.instants import Zone, format_instant, parse_instant
from sim.maths.units import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    WEEK,
    YEAR,
    Duration,
    GrowthRate,
    Instant,
    Offset,
    Probability,
    format_duration,
    format_rate,
    parse_duration,
    parse_growth,
    parse_hazard,
    parse_offset,
    parse_rate,
    parse_slope,
)


def test_a_year_is_twelve_months_and_365_and_a_quarter_days():
    assert 12 * MONTH == YEAR == 365.25 * DAY


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("3min", 3 * MINUTE),
        ("30m", 30 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("20d", 20 * DAY),
        ("1 month", MONTH),
        ("month", MONTH),
        ("2 weeks", 2 * WEEK),
        ("500ms", SECOND // 2),
        ("1h 30min", 90 * MINUTE),
        ("1_000 s", 1000 * SECOND),
        ("1e3 us", 1000),
        (" 0d ", 0),
    ],
)
def test_durations_have_a_number_and_a_unit(text, us):
    assert parse_duration(text) == us


@pytest.mark.parametrize(
    "wrong", [5, 5.0, "5", "", "d5", "-3d", "3 parsecs", "1M", "2000 years", "1..5h", None, True, "inf d"]
)
def test_what_is_no_duration_is_refused_with_its_value(wrong):
    with pytest.raises(ValueError, match=r"unit|length of time|longer|1000"):
        parse_duration(wrong)


@given(st.integers(0, 100 * YEAR))
def test_a_formatted_duration_reads_back_exactly(us):
    assert parse_duration(format_duration(us)) == us


def test_offsets_have_a_sign():
    assert [parse_offset(text) for text in ("-2h", "+15min", "1d")] == [-2 * HOUR, 15 * MINUTE, DAY]
    assert format_duration(-2 * HOUR) == "-2h"


@pytest.mark.parametrize(
    ("text", "per_day"),
    [
        ("40/day", 40),
        ("50k/day", 50_000),
        ("0.5 per hour", 12),
        ("1/30d", 1 / 30),
        ("2M/day", 2e6),
        ("3 / 2 days", 1.5),
    ],
)
def test_rates_count_events_per_time(text, per_day):
    assert parse_rate(text) * DAY == pytest.approx(per_day)


@pytest.mark.parametrize(
    "wrong", [40, "40", "40/", "/day", "-1/day", "3%/day", "1/0d", "x/day", "1/fortnight", "1e400/day"]
)
def test_what_is_no_rate_is_refused(wrong):
    with pytest.raises(ValueError, match=r"such as 2/month|unit of time|percentage|negative"):
        parse_rate(wrong)


def test_a_percentage_per_period_is_a_probability_and_becomes_a_hazard():
    assert math.exp(-parse_hazard("3%/month") * MONTH) == pytest.approx(0.97)
    assert parse_hazard("0.5/month") * MONTH == pytest.approx(0.5)
    with pytest.raises(ValueError, match="100%"):
        parse_hazard("100%/month")


def test_growth_compounds_and_a_slope_adds():
    assert math.exp(parse_growth("8%/year") * 2 * YEAR) == pytest.approx(1.08**2)
    assert math.exp(parse_growth("-3%/month") * MONTH) == pytest.approx(0.97)
    assert parse_slope("8%/year") * 2 * YEAR == pytest.approx(0.16)
    with pytest.raises(ValueError, match="percentage"):
        parse_growth("0.08/year")


def test_probabilities_are_numbers_or_percentages():
    adapter = TypeAdapter(Probability)
    assert adapter.validate_python("35%") == adapter.validate_python(0.35) == pytest.approx(0.35)
    for wrong in (1.5, "150%", -0.1, "often", True):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_civil_instants_are_read_in_the_zone_of_the_scenario():
    adapter = TypeAdapter(Instant)
    paris = ZoneInfo("Europe/Paris")
    found = adapter.validate_python("2024-07-01 12:00", context={"zone": paris})
    assert format_instant(found) == "2024-07-01T10:00:00Z"
    assert format_instant(adapter.validate_python("2024-07-01")) == "2024-07-01T00:00:00Z"
    assert parse_instant("2024-07-01T12:00:00+05:00", paris) == parse_instant("2024-07-01 07:00")


def test_the_civil_time_that_clocks_repeat_is_its_first_occurrence():
    paris = ZoneInfo("Europe/Paris")
    assert format_instant(parse_instant("2024-10-27 02:30", paris)) == "2024-10-27T00:30:00Z"


@pytest.mark.parametrize(
    "wrong", ["24", "2024-13-01", "2024-02-30", "1850-01-01", "9999-12-31", "2024-W01-1", 20240101, None]
)
def test_what_is_no_instant_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not a point in time|outside the years"):
        parse_instant(wrong)


@given(st.datetimes(datetime(1900, 1, 2), datetime(2200, 12, 30)))
def test_a_formatted_instant_reads_back_exactly(moment):
    us = parse_instant(moment.replace(tzinfo=UTC))
    assert parse_instant(format_instant(us)) == us


def test_dates_that_a_parser_made_are_understood():
    assert parse_instant(date(2024, 1, 2)) == parse_instant("2024-01-02")


def test_a_wrong_zone_names_the_nearest_one():
    with pytest.raises(ValidationError, match="Europe/Paris"):
        TypeAdapter(Zone).validate_python("Europe/Pari")
    for wrong in ("../../etc/passwd", "", 5, "a\0b", "x" * 5000):
        with pytest.raises(ValidationError):
            TypeAdapter(Zone).validate_python(wrong)


def test_quantities_are_written_as_they_are_read():
    adapter = TypeAdapter(list[Duration | Offset])
    assert adapter.dump_python([90 * MINUTE], mode="json") == ["1h 30min"]
    assert [format_rate(parse_rate(text)) for text in ("40/day", "2/month", "3k/s", "1/10 years")] == [
        "40/day",
        "2/month",
        "3,000/s",
        "0.1/year",
    ]


@pytest.mark.parametrize("text", ["8%/year", "-3%/month", "1000%/day", "100%/s", "-99.9%/h", "0%/day", "50000%/us"])
def test_growth_of_any_speed_is_written_as_it_is_read(text):
    adapter = TypeAdapter(GrowthRate)
    growth = adapter.validate_python(text)
    assert adapter.validate_python(adapter.dump_python(growth, mode="json")) == pytest.approx(growth, rel=1e-12)
