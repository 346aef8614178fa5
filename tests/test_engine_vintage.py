from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sim.engine.vintage import Vintage
from sim.maths.ages import AgeCurve
from sim.maths.units import DAY, HOUR

AGES = [
    {"type": "points", "values": [1, 0.5, 3, 0, 2], "per": "17d"},
    {"type": "points", "values": [1, 7, 0, 2], "per": "40d 1us", "interpolation": "linear"},
    {"type": "points", "points": {"0d": 0, "1us": 8, "13h": 1, "300d": 5}},
    {"type": "exponential", "rate": "-20%/day"},
    {"type": "logarithmic", "a": 1, "b": -0.3, "per": "1h"},
    {"type": "weibull", "scale": "30d", "shape": 0.3},
    {"type": "weibull", "scale": "30d", "shape": 40},
    {"type": "logistic", "from": 3, "to": 0, "midpoint": "2d", "width": "1min"},
]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.sampled_from(AGES), st.sampled_from([HOUR, DAY, 30 * DAY, 400 * DAY]), st.integers(0, 2**32))
def test_steps_of_age_bound_the_curve_for_a_whole_tick_ahead(spec, tick, seed):
    curve = TypeAdapter(AgeCurve).validate_python(spec)
    vintage = Vintage(curve, 500 * DAY, tick)
    ages = np.random.default_rng(seed).integers(0, 500 * DAY, 2000)
    step = np.searchsorted(vintage.steps, ages, side="right") - 1
    for share in (0, 0.3, 0.999):
        ahead = curve.at(ages + int(share * tick))
        assert (vintage.lows[step] <= ahead).all()
        assert (vintage.highs[step] >= ahead).all()
        assert (np.exp2(vintage.levels[step]) >= ahead * (1 - 1e-6)).all()


def test_there_is_nothing_before_birth():
    vintage = Vintage(TypeAdapter(AgeCurve).validate_python(AGES[3]), 500 * DAY, DAY)
    assert vintage.at(np.array([-1, -HOUR, -400 * DAY])).tolist() == [0, 0, 0]


def test_steps_at_awkward_distances_do_not_take_forever():
    curve = TypeAdapter(AgeCurve).validate_python({"type": "points", "values": [1, 2, 3], "per": "86400000037us"})
    assert Vintage(curve, 500 * DAY, DAY).at(np.array([86_400_000_037])) == 2
