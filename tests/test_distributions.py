from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from sim.maths.distributions import CountDistribution, DurationDistribution, NumberDistribution
from sim.maths.units import DAY, HOUR

NUMBERS = TypeAdapter(NumberDistribution)
LENGTHS = TypeAdapter(DurationDistribution)
COUNTS = TypeAdapter(CountDistribution)
N = 20_000

PAIRS = [
    ({"type": "uniform", "low": -2, "high": 5}, stats.uniform(-2, 7)),
    ({"type": "normal", "mean": 100, "sd": 15}, stats.norm(100, 15)),
    ({"type": "lognormal", "median": 35, "sigma": 0.8}, stats.lognorm(0.8, scale=35)),
    ({"type": "exponential", "mean": 300}, stats.expon(scale=300)),
    ({"type": "gamma", "mean": 8, "shape": 3}, stats.gamma(3, scale=8 / 3)),
    ({"type": "weibull", "scale": 10, "shape": 1.5}, stats.weibull_min(1.5, scale=10)),
    ({"type": "beta", "a": 2, "b": 5, "low": -1, "high": 3}, stats.beta(2, 5, loc=-1, scale=4)),
    ({"type": "triangular", "low": 1, "mode": 3, "high": 10}, stats.triang(2 / 9, loc=1, scale=9)),
    ({"type": "pareto", "minimum": 10, "shape": 2.5}, stats.pareto(2.5, scale=10)),
]
LENGTH_PAIRS = [
    ({"type": "uniform", "low": "1d", "high": "5d"}, stats.uniform(DAY, 4 * DAY)),
    ({"type": "lognormal", "median": "20d", "sigma": 0.5}, stats.lognorm(0.5, scale=20 * DAY)),
    ({"type": "exponential", "mean": "300d"}, stats.expon(scale=300 * DAY)),
    ({"type": "gamma", "mean": "8h", "shape": 3}, stats.gamma(3, scale=8 / 3 * HOUR)),
    ({"type": "weibull", "scale": "90d", "shape": 0.7}, stats.weibull_min(0.7, scale=90 * DAY)),
    ({"type": "beta", "a": 2, "b": 2, "high": "4d"}, stats.beta(2, 2, scale=4 * DAY)),
    ({"type": "triangular", "low": "1d", "mode": "2d", "high": "3d"}, stats.triang(0.5, loc=DAY, scale=2 * DAY)),
    ({"type": "pareto", "minimum": "10h", "shape": 3}, stats.pareto(3, scale=10 * HOUR)),
]


def name(pair):
    return pair["type"] if isinstance(pair, dict) else ""


@pytest.mark.parametrize(("fields", "law"), PAIRS, ids=name)
def test_numbers_follow_their_law(fields, law):
    found = NUMBERS.validate_python(fields)
    assert stats.kstest(found.draw(np.random.default_rng(11), N), law.cdf).pvalue > 1e-4
    assert found.mean() == pytest.approx(law.mean())


@pytest.mark.parametrize(("fields", "law"), LENGTH_PAIRS, ids=name)
def test_lengths_of_time_follow_their_law_in_microseconds(fields, law):
    found = LENGTHS.validate_python(fields)
    draws = found.draw(np.random.default_rng(12), N)
    assert stats.kstest(draws, law.cdf).pvalue > 1e-4
    assert found.mean() == pytest.approx(law.mean())
    assert draws.min() >= 0


@pytest.mark.parametrize(("fields", "law"), [*PAIRS, *LENGTH_PAIRS], ids=name)
def test_a_distribution_function_is_exact_where_there_is_one(fields, law):
    adapter = LENGTHS if any(isinstance(value, str) for key, value in fields.items() if key != "type") else NUMBERS
    found = adapter.validate_python(fields)
    x = np.concatenate((law.ppf(np.linspace(0.001, 0.999, 40)), [-1e3, 0, 1e20]))
    if hasattr(found, "cdf"):
        np.testing.assert_allclose(found.cdf(x), law.cdf(x), atol=1e-12)


def test_poisson_numbers_follow_their_law():
    draws = NUMBERS.validate_python({"type": "poisson", "mean": 1.4}).draw(np.random.default_rng(13), N)
    k = np.arange(7)
    observed = np.append([(draws == value).sum() for value in k], (draws > 6).sum())
    expected = np.append(stats.poisson(1.4).pmf(k), stats.poisson(1.4).sf(6)) * N
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_lengths_below_zero_are_zero():
    found = LENGTHS.validate_python({"type": "normal", "mean": "1d", "sd": "2d"})
    draws = found.draw(np.random.default_rng(14), N)
    assert (draws == 0).mean() == pytest.approx(stats.norm.cdf(-0.5), abs=0.02)
    expected = stats.norm(1, 2).expect(lambda x: x, lb=0) * DAY
    assert found.mean() == pytest.approx(expected)
    assert draws.mean() == pytest.approx(expected, abs=4 * draws.std() / np.sqrt(N))


def test_a_constant_needs_no_randomness_and_may_be_written_alone():
    found = LENGTHS.validate_python("20d")
    rng = np.random.default_rng(1)
    assert (found.draw(rng, 3) == 20 * DAY).all()
    assert found.mean() == 20 * DAY
    assert rng.random() == np.random.default_rng(1).random()


LAWS = {
    "poisson": ({"mean": 2.5}, stats.poisson(2.5)),
    "geometric": ({"mean": 2.0}, stats.geom(1 / 3, loc=-1)),
    "uniform": ({"low": 1, "high": 6}, stats.randint(1, 7)),
}


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize(("least", "most"), [(0, None), (2, None), (0, 3), (1, 4), (3, 3)])
def test_counts_follow_their_law_between_min_and_max(kind, least, most):
    fields, law = LAWS[kind]
    found = COUNTS.validate_python({"type": kind, **fields, "min": least, "max": most})
    draws = found.draw(np.random.default_rng(15), N)
    k = np.arange(400)
    clipped = np.clip(k, least, most)
    assert found.mean() == pytest.approx((clipped * law.pmf(k)).sum())
    values = np.unique(np.minimum(clipped[law.pmf(k) > 0], 12))
    expected = np.array([law.pmf(k[np.minimum(clipped, 12) == value]).sum() for value in values]) * N
    observed = [(np.minimum(draws, 12) == value).sum() for value in values]
    assert sum(observed) == N
    assert len(values) == 1 or stats.chisquare(observed, expected * N / expected.sum()).pvalue > 1e-4


def test_a_plain_number_is_a_fixed_count():
    found = COUNTS.validate_python(3)
    assert found.draw(np.random.default_rng(1), 4).tolist() == [3, 3, 3, 3]
    assert found.mean() == 3
    assert COUNTS.validate_python({"type": "poisson", "mean": 0}).mean() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        -1,
        1.5,
        "x",
        True,
        {"type": "poisson"},
        {"type": "fixed", "n": 1, "min": 3, "max": 2},
        {"type": "uniform", "low": 3, "high": 1},
    ],
)
def test_counts_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        COUNTS.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        20,
        "20",
        {"type": "exponential", "mean": 20},
        {"type": "exponential", "mean": "0d"},
        {"type": "uniform", "low": "2d", "high": "1d"},
        {"type": "nomal"},
    ],
)
def test_lengths_without_unit_or_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        LENGTHS.validate_python(wrong)
