"""Growth, decay and incidents are found again in the counts over time."""

from __future__ import annotations

import itertools
import math

import evidence
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import SEED, YEAR_DAYS, acting, days, facts

YEAR = 365.25


def weekly_slope(times, weeks):
    """Growth per year and its standard error, by Poisson regression of weekly counts on time."""
    counts = np.histogram(times, 7 * np.arange(weeks + 1))[0]
    middle = (7 * np.arange(weeks) + 3.5) / YEAR
    fit = sm.GLM(counts, sm.add_constant(middle), family=sm.families.Poisson()).fit()
    return fit.params[1], fit.bse[1]


def expected(factor, edges, per_day):
    """Expected counts per bin: the mean of `factor` on a fine grid, by the trapezoid rule."""
    grids = [np.linspace(a, b, 2001) for a, b in itertools.pairwise(edges)]
    return np.array([np.trapezoid(factor(grid), grid) for grid in grids]) * per_day


@settings(max_examples=5, derandomize=True, deadline=None)
@given(st.integers(-60, 150))
def test_exponential_growth_is_the_slope_of_the_logarithm(percent):
    act = facts(acting(200, "1/day", stream={"curves": [{"type": "exponential", "rate": f"{percent}%/year"}]}))
    slope, error = weekly_slope(days(act), 52)
    evidence.near(slope, error, math.log1p(percent / 100))


def test_growth_by_month_and_by_year_compound_to_the_same():
    act = facts(acting(300, "1/day", stream={"curves": [{"type": "exponential", "rate": "5%/month"}]}))
    slope, error = weekly_slope(days(act), 52)
    evidence.near(slope, error, 12 * math.log(1.05))


def test_linear_decay_reaches_zero_and_stays_there():
    act = facts(acting(300, "1/day", stream={"curves": [{"type": "linear", "rate": "-200%/year"}]}))
    edges = np.arange(0, YEAR_DAYS + 1, 6.1)
    observed = np.histogram(days(act), edges)[0]
    evidence.levels(observed, expected(lambda t: np.maximum(1 - 2 * t / YEAR, 0), edges, 300))
    assert days(act).max() <= YEAR / 2


def test_logistic_growth_moves_from_one_level_to_the_other():
    curve = {"type": "logistic", "from": 0.5, "to": 2, "midpoint": "2024-07-01", "width": "60d"}
    act = facts(acting(300, "1/day", stream={"curves": [curve]}))
    edges = np.linspace(0, YEAR_DAYS, 37)
    s_shape = expected(lambda t: 0.5 + 1.5 / (1 + 81 ** (-(t - 182) / 60)), edges, 300)
    evidence.levels(np.histogram(days(act), edges)[0], s_shape)


def test_logarithmic_growth_slows_down():
    act = facts(acting(300, "1/day", stream={"curves": [{"type": "logarithmic", "b": 0.5, "per": "10d"}]}))
    edges = np.linspace(0, YEAR_DAYS, 37)
    evidence.levels(np.histogram(days(act), edges)[0], expected(lambda t: 1 + 0.5 * np.log1p(t / 10), edges, 300))


@pytest.mark.parametrize("interpolation", ["step", "linear"])
def test_points_are_held_or_joined_by_lines(interpolation):
    curve = {"type": "points", "values": [1, 3, 0, 2], "per": "50d", "interpolation": interpolation}
    act = facts(acting(100, "1/day", stream={"curves": [curve]}, tick="30d"))
    levels, edges = np.array([1, 3, 0, 2]), np.arange(0, YEAR_DAYS, 5.0)

    def course(t):
        if interpolation == "linear":
            return np.interp(t, [0, 50, 100, 150], levels)
        return levels[np.minimum(t // 50, 3).astype(int)]

    middles = (edges[:-1] + edges[1:]) / 2
    evidence.levels(np.histogram(days(act), edges)[0], course(middles) * 500)


def test_a_window_climbs_holds_and_falls():
    curve = {"type": "window", "from": "2024-03-01", "until": "2024-04-10", "factor": 4, "ramp_up": "10d"}
    act = facts(acting(100, "1/day", stream={"curves": [curve | {"ramp_down": "5d"}]}, tick="30d"))
    edges = np.arange(0, YEAR_DAYS, 1.0)
    trapezium = expected(lambda t: np.interp(t, [60, 70, 95, 100], [1, 4, 4, 1]), edges, 100)
    evidence.levels(np.histogram(days(act), edges)[0], trapezium)


def test_an_outage_leaves_nothing_behind():
    curve = {"type": "window", "from": "2024-03-01T06:30", "until": "2024-03-01T07:45", "factor": 0}
    act = days(facts(acting(2000, "20/day", stream={"curves": [curve]}, start="2024-03-01", end="2024-03-02")))
    clock = (act - 60) * 24
    assert not ((clock >= 6.5) & (clock < 7.75)).any()
    evidence.poisson(len(clock), 2000 * 20 * (1 - 1.25 / 24))


def test_curves_multiply():
    halved = {"type": "product", "curves": ["half", {"type": "constant", "value": 3}]}
    world = acting(
        200,
        "1/day",
        curves={"half": {"type": "constant", "value": 0.5}, "both": halved},
        stream={"curves": ["both", {"type": "exponential", "rate": "100%/year"}]},
    )
    edges = np.linspace(0, YEAR_DAYS, 25)
    act = facts(world, seed=SEED)
    evidence.levels(np.histogram(days(act), edges)[0], expected(lambda t: 1.5 * 2 ** (t / YEAR), edges, 200))
