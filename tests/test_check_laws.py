"""What is declared of values: limits that no draw leaves, and distributions whose transforms are uniform."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats
from worlds import SEED, acting, facts

from sim.attributes.registry import AnyAttribute
from sim.quality.checks.fits import uniform
from sim.quality.checks.laws import law_of, limits, step_of
from sim.quality.shares import binomial, multinomial, wilson

DRAWN = {
    "uniform": {"type": "uniform", "low": -3, "high": 5},
    "normal": {"type": "normal", "mean": 3, "sd": 2},
    "lognormal": {"type": "lognormal", "median": 35, "sigma": 0.8},
    "gamma": {"type": "gamma", "mean": 8, "shape": 0.7},
    "beta": {"type": "beta", "a": 2, "b": 5, "low": 1, "high": 4},
    "exponential": {"type": "exponential", "mean": 12},
    "weibull": {"type": "weibull", "scale": 10, "shape": 1.5},
    "pareto": {"type": "pareto", "minimum": 10, "shape": 2.5},
    "triangular": {"type": "triangular", "low": 1, "mode": 3, "high": 10},
    "poisson": {"type": "poisson", "mean": 3, "min": 1, "max": 8},
    "integer": {"type": "integer", "low": 1, "high": 6},
}
STEPS = {
    "rounded": [{"type": "round", "digits": 1}],
    "clamped": [{"type": "clamp", "min": 2, "max": 6}],
    "rounded_then_clamped": [{"type": "round", "to": 0.5}, {"type": "clamp", "max": 6}],
    "clamped_then_rounded": [{"type": "clamp", "min": 2.5, "max": 6.5}, {"type": "round", "digits": 0}],
    "scaled": [{"type": "multiply", "by": 2.5}, {"type": "add", "amount": -3}, {"type": "round", "digits": 2}],
    "some_null": [{"type": "null", "probability": 0.2}],
}
CASES = DRAWN | {f"normal_{name}": DRAWN["normal"] | {"modifiers": steps} for name, steps in STEPS.items()}
CASES |= {
    "poisson_raised": DRAWN["poisson"] | {"modifiers": [{"type": "add", "amount": 2}]},
    "poisson_clamped": DRAWN["poisson"] | {"modifiers": [{"type": "clamp", "max": 4}]},
    "uniform_flipped": DRAWN["uniform"] | {"modifiers": [{"type": "multiply", "by": -2}]},
}


@pytest.fixture(scope="module")
def drawn():
    return facts(acting(1500, "1/month", stream={"attributes": CASES}))


def attribute(name):
    return TypeAdapter(AnyAttribute).validate_python(CASES[name])


@pytest.mark.parametrize("name", [name for name in CASES if name != "uniform_flipped"])
def test_transforms_of_values_are_uniform(drawn, name):
    values = drawn[name].drop_nulls().to_numpy().astype(float)
    transformed = uniform(law_of(attribute(name)), values, SEED)
    assert stats.kstest(transformed, "uniform").pvalue > 1e-5


@pytest.mark.parametrize("name", ["lognormal", "poisson", "normal_rounded", "normal_clamped", "poisson_clamped"])
def test_transforms_of_other_values_are_not(drawn, name):
    values = drawn[name].drop_nulls().to_numpy().astype(float)
    changed = np.where(np.arange(len(values)) % 8 == 0, values[::-1] * 1.5, values)
    assert stats.kstest(uniform(law_of(attribute(name)), changed, SEED), "uniform").pvalue < 1e-3


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("normal") or "clamped" in name])
def test_no_value_leaves_its_limits(drawn, name):
    low, high = limits(attribute(name), factors=False)
    assert low <= drawn[name].min()
    assert drawn[name].max() <= high


@pytest.mark.parametrize(("name", "expected"), [("poisson_clamped", (1, 4)), ("uniform_flipped", (-10, 6))])
def test_limits_follow_the_modifiers(name, expected):
    assert limits(attribute(name), factors=False) == expected


def test_of_what_is_multiplied_only_the_sign_is_known():
    assert limits(attribute("pareto"), factors=True) == (0.0, np.inf)
    assert limits(attribute("uniform"), factors=True) is None


def test_steps_are_those_of_the_last_rounding():
    assert step_of(attribute("normal_scaled")) == pytest.approx(0.01)
    assert step_of(attribute("normal_rounded_then_clamped")) is None


@pytest.mark.parametrize("modifier", [{"type": "jitter", "sd": 0.1}, {"type": "outliers", "probability": 0.1}])
def test_where_noise_is_added_no_distribution_is_claimed(modifier):
    noisy = TypeAdapter(AnyAttribute).validate_python(DRAWN["normal"] | {"modifiers": [modifier]})
    assert law_of(noisy) is None
    assert limits(noisy, factors=False) is None


def test_intervals_of_shares_are_those_of_scipy():
    ours, theirs = wilson(7, 50), stats.binomtest(7, 50).proportion_ci(method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high))


def test_p_values_of_shares_are_uniform_where_they_hold():
    hits = np.random.default_rng(SEED).binomial(200_000, 0.3, 400)
    p_values = [binomial(int(count), 200_000, 0.3)[3] for count in hits]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4


def test_p_values_of_counts_are_uniform_though_some_categories_are_sparse():
    shares = np.array([0.5, 0.3, 0.1, 0.06, 0.03, 0.006, 0.002, 0.002])
    counts = np.random.default_rng(SEED).multinomial(1000, shares, 500)
    p_values = [multinomial(row.astype(float), shares)[0] for row in counts]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4


def test_the_category_that_is_most_off_is_named():
    p_value, worst = multinomial(np.array([520.0, 300.0, 180.0]), np.array([0.5, 0.4, 0.1]))
    assert p_value < 1e-6
    assert worst == 2
