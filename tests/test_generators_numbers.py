import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import FakeRows

from sim.attributes.registry import AnyAttribute

SIZE = 40_000
attribute = TypeAdapter(AnyAttribute).validate_python

CONTINUOUS = [
    ({"type": "uniform", "low": -2, "high": 5}, stats.uniform(-2, 7)),
    ({"type": "normal", "mean": 100, "sd": 15}, stats.norm(100, 15)),
    ({"type": "lognormal", "median": 35, "sigma": 0.8}, stats.lognorm(0.8, scale=35)),
    ({"type": "gamma", "mean": 8, "shape": 3}, stats.gamma(3, scale=8 / 3)),
    ({"type": "beta", "a": 2, "b": 5, "low": 10, "high": 20}, stats.beta(2, 5, 10, 10)),
    ({"type": "exponential", "mean": 300}, stats.expon(scale=300)),
    ({"type": "weibull", "scale": 10, "shape": 1.5}, stats.weibull_min(1.5, scale=10)),
    ({"type": "pareto", "minimum": 10, "shape": 2.5}, stats.pareto(2.5, scale=10)),
    ({"type": "triangular", "low": 1, "mode": 3, "high": 10}, stats.triang(2 / 9, 1, 9)),
]


def numbers(spec, size=SIZE, seed=1):
    return attribute(spec).make(FakeRows(size, seed=seed), "x")


@pytest.mark.parametrize(
    ("spec", "law"), CONTINUOUS, ids=lambda value: value["type"] if isinstance(value, dict) else ""
)
def test_numbers_follow_the_declared_distribution(spec, law):
    column = numbers(spec)
    assert column.type == pa.float64()
    assert stats.kstest(column.values, law.cdf).pvalue > 1e-3


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1e6), st.floats(0.05, 3))
def test_a_lognormal_has_its_median_and_sigma_whatever_they_are(median, sigma):
    logs = np.log(numbers({"type": "lognormal", "median": median, "sigma": sigma}, 4_000).values)
    assert stats.kstest(logs, stats.norm(np.log(median), sigma).cdf).pvalue > 1e-5


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 400.0), st.integers(0, 3))
def test_poisson_counts_have_their_mean_above_any_minimum(mean, least):
    draws = numbers({"type": "poisson", "mean": mean, "min": least}, 4_000).values
    expected = stats.poisson(mean).expect(lambda k: np.maximum(k, least), maxcount=2000) if mean else least
    spread = np.sqrt(max(mean, 1e-9) / len(draws))
    assert draws.min() >= least
    assert abs(draws.mean() - expected) < 5 * spread + 1e-9


@pytest.mark.parametrize("mean", [0.3, 1.4, 20.0, 99.0, 150.0])
def test_poisson_counts_have_the_right_frequencies(mean):
    draws = numbers({"type": "poisson", "mean": mean}).values
    low, high = stats.poisson(mean).ppf([0.005, 0.995]).astype(int)
    observed = np.bincount(np.clip(draws, low, high) - low, minlength=high - low + 1)
    law = stats.poisson(mean)
    expected = law.pmf(np.arange(low, high + 1))
    expected[0], expected[-1] = law.cdf(low), law.sf(high - 1)
    assert stats.chisquare(observed, expected * SIZE).pvalue > 1e-3


def test_poisson_counts_are_whole_numbers_between_their_limits():
    column = numbers({"type": "poisson", "mean": 5, "min": 3, "max": 6})
    assert column.type == pa.int64()
    assert set(column.values) == {3, 4, 5, 6}


def test_integers_reach_both_limits_equally_often():
    draws = numbers({"type": "integer", "low": -1, "high": 4}).values
    assert stats.chisquare(np.bincount(draws + 1, minlength=6)).pvalue > 1e-3


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    spec = {"type": "gamma", "mean": 8, "shape": 3}
    assert np.array_equal(numbers(spec, 100, seed=3).values, numbers(spec, 100, seed=3).values)
    assert not np.array_equal(numbers(spec, 100, seed=3).values, numbers(spec, 100, seed=4).values)


@pytest.mark.parametrize("spec", [spec for spec, _ in CONTINUOUS], ids=lambda spec: spec["type"])
def test_no_rows_give_an_empty_column_of_the_declared_type(spec):
    column = numbers(spec, 0)
    assert len(column) == 0
    assert column.type == attribute(spec).arrow_type({})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "normal", "mean": 1, "sd": -1}, "greater than or equal to 0"),
        ({"type": "uniform", "low": 5, "high": 1}, "'high' must not be below 'low'"),
        ({"type": "integer", "low": 5, "high": 1}, "'high' must not be below 'low'"),
        ({"type": "lognormal", "median": 1, "sigma": 1, "mean": 2}, "Extra inputs"),
        ({"type": "normal", "mean": float("nan"), "sd": 1}, "finite number"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spec, message):
    with pytest.raises(ValidationError, match=message):
        attribute(spec)
