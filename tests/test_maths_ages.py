from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.integrate import quad

from sim.maths.ages import AgeCurve
from sim.maths.curves import bounds, integral, with_breaks
from sim.maths.units import DAY, MONTH, YEAR

AGES = TypeAdapter(AgeCurve)

levels = st.floats(0, 10).map(lambda x: round(x, 3))
growths = st.integers(-90, 100).map(lambda percent: f"{percent}%/year")
lengths = st.integers(1, 900).map(lambda days: f"{days}d")
shapes = st.floats(0.2, 8).map(lambda x: round(x, 2))

ANY = st.one_of(
    st.builds(dict, type=st.just("constant"), value=levels),
    st.builds(
        dict,
        type=st.just("points"),
        values=st.lists(levels, min_size=1, max_size=9),
        per=lengths,
        interpolation=st.sampled_from(["step", "linear"]),
    ),
    st.builds(dict, type=st.just("points"), points=st.dictionaries(lengths, levels, min_size=1, max_size=5)),
    st.builds(dict, type=st.just("exponential"), rate=growths),
    st.builds(dict, type=st.just("linear"), rate=growths),
    st.builds(dict, type=st.just("logarithmic"), a=levels, b=st.floats(-2, 2), per=lengths),
    st.builds(dict, type=st.just("power"), exponent=st.floats(-3, 2), per=lengths),
    st.builds(dict, type=st.just("logistic"), to=levels, midpoint=lengths, width=lengths),
    st.builds(dict, type=st.just("weibull"), scale=lengths, shape=shapes),
)


def age(**fields):
    return AGES.validate_python({key.rstrip("_"): value for key, value in fields.items()})


@settings(max_examples=150, deadline=None)
@given(ANY, st.integers(1, 2000), st.integers(0, 2**32))
def test_between_breaks_every_age_curve_is_monotone_and_within_its_bounds(fields, days, seed):
    curve = age(**fields)
    edges = with_breaks(curve, np.array([0, days * DAY]))
    np.testing.assert_array_equal(edges[1:-1], curve.breaks(days * DAY))
    low, high = bounds(curve, edges)
    rng = np.random.default_rng(seed)
    for cell, (left, right) in enumerate(pairwise(edges)):
        values = curve.at(np.unique(rng.integers(left, right, 30)))
        steps = np.diff(values)
        assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
        assert ((values >= low[cell] - 1e-12) & (values <= high[cell] + 1e-12) & (values >= 0)).all()


@settings(max_examples=40, deadline=None)
@given(ANY, st.integers(1, 2000))
def test_integrals_over_age_agree_with_adaptive_quadrature(fields, days):
    curve = age(**fields)
    edges = with_breaks(curve, np.array([0, days * DAY]))
    expected = sum(quad(lambda x: float(curve.at(np.array([x]))[0]), a, b)[0] for a, b in pairwise(edges.tolist()))
    assert integral(curve, 0, days * DAY) == pytest.approx(expected, rel=1e-4, abs=1e-6 * DAY)


def test_points_hold_until_the_next_and_the_last_stays():
    curve = age(type="points", values=[1.0, 0.75, 0.6], per="month")
    assert curve.at(np.array([0, MONTH - 1, MONTH, 2 * MONTH, 90 * MONTH])).tolist() == [1, 1, 0.75, 0.6, 0.6]
    assert curve.breaks(3 * MONTH).tolist() == [MONTH, 2 * MONTH]
    by_age = age(type="points", points={"90d": 0.6, "0d": 1}, interpolation="linear")
    assert by_age.at(np.array([45 * DAY])).tolist() == pytest.approx([0.8])


def test_the_forms_are_what_they_are_called():
    months = np.array([0, 1, 12]) * MONTH
    assert age(type="exponential", rate="-10%/month").at(months).tolist() == pytest.approx([1, 0.9, 0.9**12])
    assert age(type="linear", rate="-5%/month").at(months).tolist() == pytest.approx([1, 0.95, 0.4])
    assert age(type="logarithmic", b=0.15, per="month").at(months).tolist() == pytest.approx(
        1 + 0.15 * np.log([1, 2, 13])
    )
    assert age(type="power", exponent=-0.5, per="month").at(months).tolist() == pytest.approx(
        np.array([1, 2, 13]) ** -0.5
    )
    survival = age(type="weibull", scale="1 year", shape=2).at(np.array([0, YEAR, 2 * YEAR]))
    assert survival.tolist() == pytest.approx(np.exp([0, -1, -4]))
    s_shape = age(type="logistic", to=0.2, midpoint="6 months", width="2 months")
    assert s_shape.at(np.array([5, 6, 7]) * MONTH).tolist() == pytest.approx([0.92, 0.6, 0.28])


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "points", "values": [1]},
        {"type": "points", "values": [-1], "per": "month"},
        {"type": "power", "exponent": 1, "per": "0d"},
        {"type": "weibull", "scale": "1d", "shape": 0},
        {"type": "exponential", "rate": "0.1/year"},
    ],
)
def test_age_curves_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        AGES.validate_python(wrong)
