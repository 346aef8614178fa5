from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from scipy.integrate import quad, solve_ivp

from sim.maths.curves import bounds, integral, with_breaks
from sim.maths.diffusion import Bass, Diffusion
from sim.maths.hazards import BassHazard, Hazard
from sim.maths.units import DAY, MONTH, YEAR

HAZARDS = TypeAdapter(Hazard)
EACH = [
    "3%/month",
    "0.5/month",
    {"type": "weibull", "scale": "90d", "shape": 0.6},
    {"type": "weibull", "scale": "90d", "shape": 2},
    {"type": "bass", "p": "0.03/year", "q": "0.38/year"},
]


@pytest.mark.parametrize("fields", EACH, ids=str)
def test_waiting_times_by_inversion_have_the_hazard(fields):
    hazard = HAZARDS.validate_python(fields)
    waits = hazard.inverse(np.random.default_rng(3).exponential(size=20_000))
    law = stats.weibull_min(getattr(hazard, "shape", 1), scale=getattr(hazard, "scale", 1 / getattr(hazard, "rate", 1)))
    assert stats.kstest(waits, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("fields", EACH, ids=str)
@given(st.floats(0.01, 20))
def test_the_cumulative_hazard_is_the_integral_of_the_rate_and_inverts(fields, h):
    hazard = HAZARDS.validate_python(fields)
    elapsed = hazard.inverse(np.array([h]))
    assert hazard.cumulative(elapsed)[0] == pytest.approx(h)
    low = float(elapsed[0]) / 1000
    area = quad(lambda x: hazard.rate_at(np.array([x]))[0], low, float(elapsed[0]))[0]
    assert area == pytest.approx(h - hazard.cumulative(np.array([low]))[0])


def test_a_percentage_is_the_share_that_leaves_in_a_period():
    hazard = HAZARDS.validate_python("3%/month")
    assert np.exp(-hazard.cumulative(np.array([MONTH]))).tolist() == pytest.approx([0.97])


def test_a_hazard_of_zero_never_comes():
    assert HAZARDS.validate_python("0%/month").inverse(np.array([0.0, 1.0])).tolist() == [0, np.inf]


@pytest.mark.parametrize("wrong", [0.03, "3%", "100%/month", "-1/day", {"type": "weibull", "scale": "0d", "shape": 1}])
def test_hazards_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        HAZARDS.validate_python(wrong)


@pytest.mark.parametrize(("p", "q"), [(0.03, 0.38), (0.01, 1.5), (0.4, 0.1), (0.2, 0.0)])
def test_bass_solves_its_differential_equation(p, q):
    bass = Bass(p / YEAR, q / YEAR)
    years = np.linspace(0, 15, 40)
    solved = solve_ivp(lambda _, f: (p + q * f) * (1 - f), (0, 15), [0.0], t_eval=years, rtol=1e-10, atol=1e-12)
    elapsed = years * YEAR
    np.testing.assert_allclose(bass.share(elapsed), solved.y[0], atol=1e-8)
    np.testing.assert_allclose(bass.density(elapsed) * YEAR, (p + q * solved.y[0]) * (1 - solved.y[0]), atol=1e-8)
    np.testing.assert_allclose(bass.hazard(elapsed) * YEAR, p + q * solved.y[0], atol=1e-8)
    np.testing.assert_allclose(bass.inverse(bass.share(elapsed)), elapsed, atol=1)


def test_adoption_peaks_where_bass_says():
    bass = Bass(0.03 / YEAR, 0.38 / YEAR)
    grid = np.linspace(0, 20, 100_000) * YEAR
    assert grid[bass.density(grid).argmax()] == pytest.approx(bass.peak, abs=20 * YEAR / 99_999)
    assert Bass(0.4 / YEAR, 0.1 / YEAR).peak == 0


@pytest.mark.parametrize(("p", "q"), [(0.03, 0.38), (0.4, 0.1), (3.0, 90.0)])
def test_a_diffusion_integrates_to_its_market_and_is_monotone_between_breaks(p, q):
    launch = 100 * DAY
    curve = Diffusion(Bass(p / YEAR, q / YEAR), 10_000, launch)
    until = launch + 3 * YEAR
    share = curve.bass.share(np.array([3 * YEAR]))[0]
    assert integral(curve, 0, until) == pytest.approx(10_000 * share, rel=1e-9)
    edges = with_breaks(curve, np.array([0, until]))
    low, high = bounds(curve, edges)
    times = np.random.default_rng(1).integers(0, until, 5_000)
    cell = np.searchsorted(edges, times, side="right") - 1
    values = curve.at(times)
    assert ((values >= low[cell] * (1 - 1e-12)) & (values <= high[cell] * (1 + 1e-12))).all()


@given(st.floats(1e-4, 1), st.floats(0, 5), st.integers(-3, 3))
def test_imitation_grows_from_the_launch_on_and_is_bounded(p, q, launch):
    factor = BassHazard(type="bass", p=f"{p:.6f}/year", q=f"{q:.6f}/year").imitation(launch * YEAR)
    edges = with_breaks(factor, np.linspace(-YEAR, 4 * YEAR, 100).astype(np.int64))
    low, high = bounds(factor, edges)
    middle = factor.at((edges[:-1] + edges[1:]) // 2)
    assert ((low <= middle) & (middle <= high)).all()
    assert (factor.at(edges[edges < launch * YEAR]) == 0).all()
    assert factor.at(np.array([launch * YEAR]))[0] == pytest.approx(1)
