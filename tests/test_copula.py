"""Correlated attributes: the declared dependence, and each attribute's own distribution untouched."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import model, population, scenario, tables

from sim.attributes.copula import Copula, Correlation
from sim.attributes.numbers import (
    Exponential,
    Integer,
    Lognormal,
    Normal,
    Pareto,
    Poisson,
    Triangular,
    Uniform,
    Weibull,
)
from sim.errors import ScenarioError

MARGINALS = {
    "uniform": (Uniform(type="uniform", low=-2, high=5), stats.uniform(-2, 7)),
    "normal": (Normal(type="normal", mean=3, sd=2), stats.norm(3, 2)),
    "lognormal": (Lognormal(type="lognormal", median=35, sigma=0.8), stats.lognorm(0.8, scale=35)),
    "exponential": (Exponential(type="exponential", mean=4), stats.expon(scale=4)),
    "weibull": (Weibull(type="weibull", scale=10, shape=1.7), stats.weibull_min(1.7, scale=10)),
    "pareto": (Pareto(type="pareto", minimum=10, shape=2.5), stats.pareto(2.5, scale=10)),
    "triangular": (Triangular(type="triangular", low=1, mode=3, high=10), stats.triang(2 / 9, 1, 9)),
}
INCOME = {"type": "lognormal", "median": 2000, "sigma": 0.5}
YEARS = {"type": "integer", "low": 18, "high": 80}
LEVEL = {"type": "choice", "values": {"low": 5, "middle": 3, "high": 2}}


def people(correlations, count=20_000, **attributes):
    """Users with correlated attributes."""
    attributes = {"income": INCOME, "years": YEARS, "level": LEVEL} | attributes
    entities = population(count, attributes=attributes, correlations=correlations)
    return tables(scenario(entities=entities, end="2024-01-02"))["user"]


@pytest.mark.parametrize("name", MARGINALS)
def test_quantiles_are_those_of_the_distribution(name):
    attribute, expected = MARGINALS[name]
    normal = np.linspace(-6, 6, 1001)
    values = attribute.from_normal(normal).values
    below = expected.ppf(stats.norm.cdf(normal))
    above = expected.isf(stats.norm.sf(normal))
    assert np.allclose(values, np.where(normal < 0, below, above), rtol=1e-6, atol=1e-6)


def test_quantiles_of_whole_numbers_are_those_of_the_distribution():
    normal = np.random.default_rng(3).standard_normal(20_000)
    for attribute, expected in (
        (Poisson(type="poisson", mean=1.4, min=0), stats.poisson(1.4)),
        (Integer(type="integer", low=1, high=6), stats.randint(1, 7)),
    ):
        assert np.array_equal(attribute.from_normal(normal).values, expected.ppf(stats.norm.cdf(normal)))


@pytest.mark.parametrize("rho", [-0.8, 0.3, 0.9])
def test_rank_correlation_is_that_of_the_gaussian_copula(rho):
    user = people([{"between": ["income", "years"], "rho": rho}], years={"type": "exponential", "mean": 40})
    measured = stats.spearmanr(user["income"], user["years"]).statistic
    assert abs(measured - 6 / np.pi * np.arcsin(rho / 2)) < evidence.Z / np.sqrt(user.height)
    logs = np.log(user["income"].to_numpy())
    scores = stats.norm.ppf(stats.expon(scale=40).cdf(user["years"].to_numpy()))
    assert abs(np.arctanh(stats.pearsonr(logs, scores).statistic) - np.arctanh(rho)) < evidence.Z / np.sqrt(user.height)


def test_marginals_stay_as_declared():
    user = people([{"between": ["income", "years", "level"], "rho": 0.7}])
    evidence.distributed(user["income"], stats.lognorm(0.5, scale=2000).cdf)
    evidence.proportions(np.bincount(user["years"] - 18, minlength=63), np.ones(63))
    counts = dict(user["level"].cast(pl.String).value_counts().iter_rows())
    evidence.proportions([counts["low"], counts["middle"], counts["high"]], [5, 3, 2])


def test_the_values_of_a_choice_count_in_the_order_of_their_list():
    user = people([{"between": ["income", "level"], "rho": 0.7}])
    medians = dict(user.group_by(pl.col("level").cast(pl.String)).agg(pl.col("income").median()).iter_rows())
    assert medians["low"] < medians["middle"] < medians["high"]


def test_attributes_that_are_not_named_stay_independent():
    user = people([{"between": ["income", "years"], "rho": 0.9}], other=INCOME)
    assert stats.spearmanr(user["other"], user["income"]).pvalue > evidence.ALPHA


def test_correlations_on_streams_and_their_children_hold_row_by_row():
    part = {
        "attributes": {"a": INCOME, "b": INCOME | {"modifiers": [{"type": "round", "digits": 0}]}},
        "correlations": [{"between": ["a", "b"], "rho": -0.5}],
    }
    stream = {"entity": "user", "rate": "1/day", "children": {"line": part}} | part
    run = tables(scenario(entities=population(50), streams={"act": stream}))
    for name in ("act", "line"):
        measured = stats.spearmanr(run[name]["a"], run[name]["b"]).statistic
        assert abs(measured - 6 / np.pi * np.arcsin(-0.25)) < evidence.Z / np.sqrt(run[name].height)


def test_a_correlation_more_leaves_the_attributes_before_as_they_were():
    one = people([{"between": ["income", "years"], "rho": 0.5}], 500)
    two = people([{"between": ["income", "years"], "rho": 0.5}, {"between": ["years", "level"], "rho": 0.5}], 500)
    assert one.select("income", "years").equals(two.select("income", "years"))


@pytest.mark.parametrize(
    ("correlations", "message"),
    [
        (
            [{"between": ["income", "code"], "rho": 0.5}],
            r"correlations\[0\].between: 'code' cannot be correlated: uuid",
        ),
        ([{"between": ["income", "size"], "rho": 0.5}], "gamma has no quantile function here; .*lognormal"),
        ([{"between": ["income", "yers"], "rho": 0.5}], "'yers' is not an attribute here; there are income"),
        ([{"between": ["income", "income"], "rho": 0.5}], "once and not twice"),
        ([{"between": ["income", "years"], "rho": 1}], "correlations.*rho"),
        (
            [{"between": ["income", "years", "level"], "rho": -0.6}],
            "entities.user.correlations: contradict each other.*not positive definite",
        ),
    ],
)
def test_correlations_that_cannot_be_are_problems_with_their_place(correlations, message):
    attributes = {"income": INCOME, "years": YEARS, "level": LEVEL, "code": {"type": "uuid"}}
    attributes["size"] = {"type": "gamma", "mean": 3, "shape": 2}
    with pytest.raises(ScenarioError, match=message):
        model(scenario(entities=population(2, attributes=attributes, correlations=correlations)))


def test_every_generator_that_is_said_to_have_quantiles_has_them():
    from sim.attributes.copula import WITH_QUANTILES
    from sim.attributes.registry import GENERATORS

    overriding = {name for name, kind in GENERATORS.items() if _has_quantiles(kind)}
    assert overriding == set(WITH_QUANTILES)


def _has_quantiles(kind):
    from sim.attributes.attribute import Attribute
    from sim.attributes.numbers import NumberAttribute
    from sim.maths.numbers import Invertible

    if issubclass(kind, NumberAttribute):
        return issubclass(kind, Invertible)
    return kind.from_normal is not Attribute.from_normal


def test_a_matrix_is_checked_before_anything_is_drawn():
    pair = Correlation(between=["a", "b"], rho=0.5)
    normal = Normal(type="normal", mean=0, sd=1)
    assert Copula({"a": normal, "b": normal}, [pair]).problems == []
    assert Copula({"a": normal}, [pair]).problems == [(0, "between", "'b' is not an attribute here; there are a")]
