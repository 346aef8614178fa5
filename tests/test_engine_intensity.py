from __future__ import annotations

from zoneinfo import ZoneInfo

import evidence
import numpy as np
import pytest
from pydantic import TypeAdapter
from worlds import END, SEED, START, micros

from sim.engine.intensity import Intensity
from sim.maths.curves import Curve, product_of
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR

TIMELINE = Timeline(START, END, ZoneInfo("Europe/Paris"))
CURVES = [
    {"type": "exponential", "rate": "90%/month"},
    {"type": "hour_of_day", "weights": [0, 5] * 12},
    {"type": "linear", "rate": "-300%/year"},
    {"type": "logistic", "from": 3, "to": 0.1, "midpoint": "2024-02-01", "width": "1h"},
    {"type": "window", "from": micros("2024-01-20"), "until": micros("2024-01-20") + 7_000_000, "factor": 9},
]


def bound(spec):
    context = {"zone": TIMELINE.zone}
    return TypeAdapter(Curve).validate_python(spec | {"type": spec["type"]}, context=context).bind(TIMELINE, {})


def curves():
    window = CURVES[-1] | {"from": "2024-01-20", "until": "2024-01-21"}
    return [bound(spec) for spec in [*CURVES[:-1], window]]


@pytest.mark.parametrize("tick", [HOUR, 30 * DAY, 366 * DAY])
@pytest.mark.parametrize("number", range(6))
def test_the_bound_is_above_the_curve_and_the_squeeze_below(tick, number):
    curve = [*curves(), product_of(curves())][number]
    intensity = Intensity(curve, START, START + tick)
    times = np.sort(np.random.default_rng(SEED).integers(START, START + tick, 20_000))
    ratio = intensity.ratio(times)
    inside = curve.at(times) > 0
    assert ((ratio >= 0) & (ratio <= 1 + 1e-12)).all()
    assert (ratio[inside] >= intensity.lowest_ratio * (1 - 1e-9)).all()
    assert intensity.peak >= curve.at(times).max() * (1 - 1e-12)


def test_thinned_places_have_the_density_of_the_curve():
    rng = np.random.default_rng(SEED)
    curve = product_of([bound(CURVES[0]), bound(CURVES[1])])
    intensity = Intensity(curve, START, START + 30 * DAY)
    times = intensity.place(rng, 60_000)
    assert (np.diff(times) >= 0).all()
    kept = (times[rng.random(len(times)) < intensity.ratio(times)] - START) / HOUR
    hours = np.arange(720)
    growth = np.log(1.9) / (365.25 / 12 * 24)
    # Paris is an hour ahead of UTC in January.
    expected = np.where((hours + 1) % 24 % 2 == 1, np.expm1(growth) * np.exp(growth * hours), 0)
    evidence.proportions(np.bincount(kept.astype(int), minlength=720), expected)


def test_nothing_is_kept_where_the_curve_is_zero_over_the_whole_tick():
    intensity = Intensity(bound(CURVES[2]), micros("2024-09-01"), micros("2024-09-02"))
    assert intensity.mass == 0
    assert len(intensity.place(np.random.default_rng(SEED), 0)) == 0


def test_places_lie_within_the_shortest_tick():
    intensity = Intensity(bound(CURVES[0]), START, START + 1)
    assert set(intensity.place(np.random.default_rng(SEED), 100)) == {START}
