from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.integrate import quad

from sim.maths.curves import Curve, CurveRef, bind, bind_all, bounds, integral, integrals, product_of, with_breaks
from sim.maths.instants import parse_instant
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR, MONTH, YEAR

CURVES = TypeAdapter(Curve)
START, END = parse_instant("2023-01-01"), parse_instant("2026-01-01")
PARIS = Timeline(START, END, ZoneInfo("Europe/Paris"))
PLAIN = Timeline(START, END, ZoneInfo("UTC"))


def curve(timeline=PARIS, **fields):
    fields = {key.rstrip("_"): value for key, value in fields.items()}
    return CURVES.validate_python(fields, context={"zone": timeline.zone}).bind(timeline, {})


def at(bound, *texts):
    return bound.at(np.array([parse_instant(text) for text in texts], dtype=np.int64))


levels = st.floats(0, 10).map(lambda x: round(x, 3))
growths = st.integers(-90, 300).map(lambda percent: f"{percent}%/year")
lengths = st.integers(1, 400).map(lambda days: f"{days}d")
instants = st.integers(-400, 1500).map(lambda day: str(np.datetime64("2023-01-01") + day))


def weights(n):
    return st.lists(levels, min_size=n, max_size=n).filter(any)


def windows(first, length, up, down, factor):
    until = np.datetime64(first) + length
    ramps = {"ramp_up": f"{up * 24 * length:.3f}h", "ramp_down": f"{down * 24 * length:.3f}h"}
    return {"type": "window", "from": first, "until": str(until), "factor": factor, **ramps}


ANY = st.one_of(
    st.builds(dict, type=st.just("constant"), value=levels),
    st.builds(dict, type=st.just("exponential"), rate=growths),
    st.builds(dict, type=st.just("linear"), rate=growths),
    st.builds(dict, type=st.just("logarithmic"), b=st.floats(-1, 2), per=lengths),
    st.builds(dict, type=st.just("logistic"), to=levels, midpoint=instants, width=lengths),
    st.builds(
        dict,
        type=st.just("points"),
        values=st.lists(levels, min_size=1, max_size=9),
        per=lengths,
        interpolation=st.sampled_from(["step", "linear"]),
    ),
    st.builds(dict, type=st.just("points"), points=st.dictionaries(instants, levels, min_size=1, max_size=9)),
    st.builds(dict, type=st.just("hour_of_day"), weights=weights(24)),
    st.builds(dict, type=st.just("day_of_week"), weights=weights(7)),
    st.builds(dict, type=st.just("day_of_month"), weights=weights(31)),
    st.builds(dict, type=st.just("month"), weights=weights(12)),
    st.builds(dict, type=st.just("holidays"), dates=st.dictionaries(instants, levels, min_size=1, max_size=9)),
    st.builds(windows, instants, st.integers(1, 300), st.floats(0, 0.4), st.floats(0, 0.4), levels),
)


@settings(max_examples=150, deadline=None)
@given(ANY, st.integers(0, 1000), st.integers(1, 90), st.integers(0, 2**32))
def test_between_breaks_every_curve_is_monotone_and_within_its_bounds(fields, first, length, seed):
    bound = curve(**fields)
    t0, t1 = START + first * DAY, START + (first + length) * DAY
    edges = with_breaks(bound, np.array([t0, t1]))
    assert ((edges[1:-1] > t0) & (edges[1:-1] < t1)).all()
    assert (np.diff(edges) > 0).all()
    low, high = bounds(bound, edges)
    rng = np.random.default_rng(seed)
    for cell in rng.choice(len(edges) - 1, min(len(edges) - 1, 12), replace=False):
        inside = np.unique(rng.integers(edges[cell], edges[cell + 1], 40))
        values = bound.at(inside)
        steps = np.diff(values)
        assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
        assert (values >= low[cell] - 1e-12).all()
        assert (values <= high[cell] + 1e-12).all()
        assert (values >= 0).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=3), st.integers(0, 1000), st.integers(1, 9))
def test_integrals_agree_with_adaptive_quadrature(many, first, length):
    bound = product_of([curve(**fields) for fields in many])
    t0, t1 = START + first * DAY, START + (first + length) * DAY
    edges = with_breaks(bound, np.array([t0, t1]))

    def value(x):
        return float(bound.at(np.array([int(x)]))[0])

    expected = sum(quad(value, a, b, epsabs=1e-9 * DAY, limit=60)[0] for a, b in pairwise(edges.tolist()))
    assert integral(bound, t0, t1) == pytest.approx(expected, rel=1e-5, abs=1e-5 * DAY)


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY, min_size=0, max_size=4), st.integers(0, 2**32))
def test_a_product_is_the_product_and_stays_within_its_bounds(many, seed):
    factors = [curve(**fields) for fields in many]
    bound = product_of(factors)
    edges = with_breaks(bound, np.arange(START, START + 40 * DAY, 5 * DAY, dtype=np.int64))
    low, high = bounds(bound, edges)
    times = np.sort(np.random.default_rng(seed).integers(edges[0], edges[-1], 300))
    values = bound.at(times)
    np.testing.assert_allclose(values, np.prod([factor.at(times) for factor in factors], axis=0) * np.ones(300))
    cell = np.searchsorted(edges, times, side="right") - 1
    assert ((values >= low[cell] - 1e-9) & (values <= high[cell] + 1e-9)).all()


def test_integrals_of_cells_add_up():
    bound = product_of([curve(type="exponential", rate="50%/year"), curve(type="hour_of_day", weights=[*range(24)])])
    edges = START + np.array([0, 1, 5, 30, 31, 200]) * HOUR
    assert integrals(bound, edges).sum() == pytest.approx(integral(bound, int(edges[0]), int(edges[-1])), rel=1e-12)
    assert integral(bound, START, START) == 0.0


@pytest.mark.parametrize("timeline", [PLAIN, PARIS])
@pytest.mark.parametrize(
    ("kind", "count"), [("hour_of_day", 24), ("day_of_week", 7), ("day_of_month", 31), ("month", 12)]
)
def test_seasons_have_mean_one_over_a_long_calendar(timeline, kind, count):
    bound = curve(timeline, type=kind, weights=np.random.default_rng(5).uniform(0, 5, count).tolist())
    t0, t1 = parse_instant("2000-01-01"), parse_instant("2028-01-01")
    assert integral(bound, t0, t1) / (t1 - t0) == pytest.approx(1, abs=2e-3)


def test_the_hour_follows_the_clock_on_the_wall():
    bound = curve(type="hour_of_day", weights=[*range(1, 25)])
    winter, summer = at(bound, "2024-01-15T11:00:00Z", "2024-07-15T10:00:00Z")
    assert winter == summer == pytest.approx(13 / 12.5)


def test_a_repeated_hour_is_busy_twice_and_a_skipped_one_never():
    only_two = [0.0] * 24
    only_two[2] = 24.0
    bound = curve(type="hour_of_day", weights=only_two)
    autumn = parse_instant("2024-10-26T22:00:00Z")
    spring = parse_instant("2024-03-30T23:00:00Z")
    assert integral(bound, autumn, autumn + 25 * HOUR) == pytest.approx(2 * 24 * HOUR)
    assert integral(bound, spring, spring + 23 * HOUR) == 0.0


def test_weekdays_and_months_may_be_given_by_name():
    named = curve(type="day_of_week", weights={"Saturday": 2, "sun": 0})
    listed = curve(type="day_of_week", weights=[1, 1, 1, 1, 1, 2, 0])
    times = np.arange(START, START + 20 * DAY, HOUR, dtype=np.int64)
    np.testing.assert_array_equal(named.at(times), listed.at(times))
    assert at(curve(PLAIN, type="month", weights={"dec": 2}), "2024-12-05", "2024-11-05").tolist() == pytest.approx(
        [2 * 365.2425 / 396.2425, 365.2425 / 396.2425]
    )


def test_trends_are_one_at_the_start_and_grow_as_declared():
    year = np.array([START, START + YEAR, START + 2 * YEAR])
    assert curve(type="exponential", rate="8%/year").at(year).tolist() == pytest.approx([1, 1.08, 1.08**2])
    assert curve(type="linear", rate="-60%/year").at(year).tolist() == pytest.approx([1, 0.4, 0])
    month = np.array([START - YEAR, START, START + MONTH])
    assert curve(type="logarithmic", b=0.5, per="month").at(month).tolist() == pytest.approx(
        [1, 1, 1 + 0.5 * np.log(2)]
    )


def test_a_logistic_curve_goes_from_ten_to_ninety_percent_in_its_width():
    bound = curve(PLAIN, type="logistic", from_=1, to=3, midpoint="2024-07-01", width="100d")
    middle = parse_instant("2024-07-01")
    times = np.array([middle - 50 * DAY, middle, middle + 50 * DAY, middle - 3 * YEAR])
    assert bound.at(times).tolist() == pytest.approx([1.2, 2, 2.8, 1])


def test_points_are_held_or_joined():
    held = curve(PLAIN, type="points", points={"2023-06-01": 1.4, "2023-01-01": 1.0})
    joined = curve(PLAIN, type="points", values=[1, 3], per="10d", interpolation="linear")
    assert at(held, "2022-01-01", "2023-05-31", "2023-06-01", "2030-01-01").tolist() == [1.0, 1.0, 1.4, 1.4]
    assert joined.at(START + np.array([-1, 0, 5, 10, 99]) * DAY).tolist() == pytest.approx([1, 1, 2, 3, 3])


def test_a_window_is_full_between_its_ramps_and_gone_at_its_end():
    bound = curve(PLAIN, type="window", from_="2024-11-25", until="2024-12-02", factor=3, ramp_up="1d", ramp_down="2d")
    texts = ["2024-11-24", "2024-11-25", "2024-11-25 12:00", "2024-11-26", "2024-11-30", "2024-12-01", "2024-12-02"]
    assert at(bound, *texts).tolist() == pytest.approx([1, 1, 2, 3, 3, 2, 1])
    sudden = curve(PLAIN, type="window", from_="2024-11-25", until="2024-12-02", factor=0)
    assert at(sudden, "2024-11-25", "2024-12-01 23:59", "2024-12-02").tolist() == [0, 0, 1]


def test_holidays_last_a_civil_day_and_may_come_every_year():
    bound = curve(type="holidays", dates={"12-25": 0.1, "2024-12-25": 5, "2024-05-01": 2, "02-29": 7})
    texts = [
        "2023-12-24T22:59:00Z",
        "2023-12-24T23:00:00Z",
        "2024-12-25",
        "2024-04-30T22:00:00Z",
        "2024-02-29",
        "2023-03-01",
    ]
    assert at(bound, *texts).tolist() == [1, 0.1, 5, 2, 7, 1]


def test_products_resolve_names_and_nest():
    named = {
        "both": CURVES.validate_python({"type": "product", "curves": ["up", {"type": "constant", "value": 3}]}),
        "up": CURVES.validate_python({"type": "linear", "rate": "100%/year"}),
        "all": CURVES.validate_python({"type": "product", "curves": ["both", "both"]}),
    }
    bound = bind_all(named, PLAIN)
    assert bound["all"].at(np.array([START + YEAR])).tolist() == pytest.approx([36])
    assert bind("up", PLAIN, bound) is bound["up"]


def test_a_product_of_itself_is_refused():
    named = {"a": CURVES.validate_python({"type": "product", "curves": ["a"]})}
    with pytest.raises(ValueError, match="cycle"):
        bind_all(named, PLAIN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "hour_of_day", "weights": [1] * 23},
        {"type": "hour_of_day", "weights": [0] * 24},
        {"type": "day_of_week", "weights": [1, 1, 1, 1, 1, 1, -1]},
        {"type": "day_of_week", "weights": {"someday": 2}},
        {"type": "points", "values": [1]},
        {"type": "points"},
        {"type": "points", "values": [1], "per": "0d"},
        {"type": "window", "from": "2024-01-02", "until": "2024-01-01", "factor": 2},
        {"type": "window", "from": "2024-01-01", "until": "2024-01-02", "factor": 2, "ramp": "13h"},
        {"type": "window", "from": "2024-01-01", "until": "2024-01-09", "factor": 2, "ramp": "1h", "ramp_up": "1h"},
        {"type": "holidays", "dates": {"2023-02-29": 2}},
        {"type": "holidays", "dates": {"13-01": 2}},
        {"type": "constant", "value": float("nan")},
        {"type": "constant", "value": -1},
        {"type": "sinus"},
    ],
)
def test_curves_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        CURVES.validate_python(wrong)


def test_a_reference_is_a_name_or_a_curve():
    adapter = TypeAdapter(CurveRef)
    assert adapter.validate_python("growth") == "growth"
    assert adapter.validate_python({"type": "constant", "value": 2}).value == 2
    with pytest.raises(ValidationError):
        adapter.validate_python("No Name")
