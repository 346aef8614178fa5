"""Some entities are more active than others of the same kind, by as much as the scenario says."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
import statsmodels.api as sm
from worlds import SEED, acting, facts, per_entity, tables


def overdispersion(counts):
    """Variance of the hidden factor, by moments, with a bootstrap's standard error."""

    def estimate(sample):
        mean = sample.mean(axis=-1)
        return (sample.var(axis=-1, ddof=1) - mean) / mean**2

    rng = np.random.default_rng(SEED)
    again = [estimate(rng.choice(counts, len(counts))) for _ in range(400)]
    return estimate(counts), np.std(again)


@pytest.mark.parametrize("shape", [0.5, 1, 4, 20])
def test_gamma_frailty_makes_negative_binomial_counts(shape):
    counts = per_entity(facts(acting(3000, "10/year", {"frailty": {"type": "gamma", "shape": shape}})), 3000)
    fit = sm.NegativeBinomial(counts, np.ones(len(counts))).fit(disp=0)
    evidence.near(np.log(fit.params[-1]), fit.bse[-1] / fit.params[-1], -np.log(shape))
    evidence.near(fit.params[0], fit.bse[0], np.log(10 * 366 / 365.25))


def test_lognormal_frailty_has_its_variance():
    counts = per_entity(facts(acting(6000, "20/year", {"frailty": {"type": "lognormal", "sigma": 0.5}})), 6000)
    estimate, error = overdispersion(counts)
    evidence.near(estimate, error, np.exp(0.25) - 1)
    evidence.mean(counts, 20 * 366 / 365.25)


def test_without_frailty_counts_are_poisson():
    estimate, error = overdispersion(per_entity(facts(acting(5000, "20/year")), 5000))
    evidence.near(estimate, error, 0.0)


def test_frailty_is_the_entitys_own_in_all_of_its_streams():
    world = acting(5000, "10/year", {"frailty": {"type": "gamma", "shape": 2}})
    world["streams"]["other"] = {"entity": "user", "rate": "30/year", "vintage": {"type": "constant", "value": 0.5}}
    run = tables(world)
    one, other = per_entity(run["act"], 5000), per_entity(run["other"], 5000)
    product = (one - one.mean()) * (other - other.mean()) / one.mean() / other.mean()
    evidence.near(product.mean(), product.std() / np.sqrt(5000), 1 / 2)


def test_frailty_does_not_change_over_time():
    act = facts(acting(5000, "20/year", {"frailty": {"type": "gamma", "shape": 2}}, tick="30d"))
    early = act["event_time"].dt.month() <= 6
    one, other = per_entity(act.filter(early), 5000), per_entity(act.filter(~early), 5000)
    product = (one - one.mean()) * (other - other.mean()) / one.mean() / other.mean()
    evidence.near(product.mean(), product.std() / np.sqrt(5000), 1 / 2)
