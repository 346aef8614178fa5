"""Intervals of counts agree with SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sim.maths.predictive import count_interval, student_quantile


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.5), (4, 9), (40, 400), (900, 5000), (20_000, 90_000)])
def test_what_varies_more_than_poisson_is_negative_binomial(mean, variance):
    law = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    low, high = count_interval(mean, variance)
    assert (low, high) == (pytest.approx(law.ppf(0.025), abs=1), pytest.approx(law.ppf(0.975), abs=1))
    assert law.cdf(high) - law.cdf(low - 1) >= 0.95 - 1e-9


def test_large_counts_are_expanded_to_the_same():
    law = stats.nbinom(5e7**2 / 4e12, 5e7 / (4e12 + 5e7))
    low, high = count_interval(5e7, 4e12 + 5e7)
    assert (low, high) == (pytest.approx(law.ppf(0.025), rel=1e-4), pytest.approx(law.ppf(0.975), rel=1e-4))


@pytest.mark.parametrize("mean", [30, 300, 1e6])
def test_poisson_counts_lie_in_their_interval(mean):
    low, high = count_interval(mean, mean)
    law = stats.poisson(mean)
    assert law.cdf(high) - law.cdf(low - 1) == pytest.approx(0.95, abs=0.02)


def test_what_is_certain_has_no_width_and_nothing_is_below_zero():
    assert count_interval(70.0, 0.0) == (70, 70)
    assert count_interval(0.0, 0.0) == (0, 0)
    assert count_interval(0.4, 0.2)[0] == 0


def test_few_degrees_of_freedom_widen_the_interval():
    widths = [np.diff(count_interval(1000, 20_000, freedom))[0] for freedom in (3, 10, np.inf)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("freedom", [2, 3, 5, 10, 100])
def test_students_quantiles_are_those_of_scipy(freedom):
    assert student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.04)
