"""Hazards are found again in the transitions, by the estimators of survival analysis."""

from __future__ import annotations

import itertools
import math

import evidence
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter, NelsonAalenFitter, WeibullFitter
from scipy import stats
from worlds import END, START, YEAR_DAYS, instants, micros, population, scenario, stays, tables, words

from sim.maths.units import DAY

MONTH = 365.25 / 12


def lived(count, exits, *more_states, **parts):
    """A run of `count` users who are born in state `on`, which they leave by `exits`."""
    states = {"on": {"transitions": exits}, **{name: {} for name in ("off", *more_states)}}
    entity = parts.pop("entity", {})
    lifecycle = {"initial": "on", "states": states}
    return tables(scenario(entities=population(count, lifecycle=lifecycle, **entity), **parts))


def first_stays(run):
    return stays(run).of("on")


def agrees_with(stay, cumulative, at):
    """The Nelson-Aalen estimate at some times agrees with a cumulative hazard."""
    fit = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(stay.length, stay.ended)
    table = fit.event_table
    variance = (table["observed"] / table["at_risk"] ** 2).cumsum()
    for moment in at:
        error = math.sqrt(variance[variance.index <= moment].iloc[-1])
        evidence.near(float(fit.predict(moment)), error, cumulative(moment))


@settings(max_examples=4, derandomize=True, deadline=None)
@given(st.integers(1, 60))
def test_a_probability_per_month_is_the_share_that_leaves_in_a_month(percent):
    stay = first_stays(lived(4000, [{"to": "off", "hazard": f"{percent}%/month"}]))
    fit = KaplanMeierFitter().fit(stay.length, stay.ended)
    for months in (1, 3, 8):
        left = (1 - percent / 100) ** months
        error = math.sqrt(left * (1 - left) / 4000)
        evidence.near(float(fit.predict(months * MONTH)), error, left)


def test_an_exponential_hazard_does_not_know_how_long_it_waited():
    stay = first_stays(lived(5000, [{"to": "off", "hazard": "1/year"}], tick="30d"))
    agrees_with(stay, lambda day: day / 365.25, (1, 30, 100, 365))


@pytest.mark.parametrize("shape", [0.4, 1.0, 1.7, 5.0])
def test_a_weibull_hazard_has_its_scale_and_shape(shape):
    hazard = {"type": "weibull", "scale": "120d", "shape": shape}
    stay = first_stays(lived(3000, [{"to": "off", "hazard": hazard}], tick="30d"))
    fit = WeibullFitter().fit(stay.length, stay.ended)
    evidence.near(math.log(fit.lambda_), fit.summary["se(coef)"]["lambda_"] / fit.lambda_, math.log(120))
    evidence.near(math.log(fit.rho_), fit.summary["se(coef)"]["rho_"] / fit.rho_, math.log(shape))
    quantiles = 120 * np.array([0.2, 0.7, 1.5]) ** (1 / shape)
    agrees_with(stay, lambda day: (day / 120) ** shape, quantiles)


def test_segments_multiply_hazards():
    entity = {
        "segments": {"tier": {"vip": {"weight": 1, "hazard": 0.25}, "standard": {"weight": 1}}},
        "frailty": {"type": "gamma", "shape": 1},
    }
    run = lived(4000, [{"to": "off", "hazard": {"type": "weibull", "scale": "200d", "shape": 1.5}}], entity=entity)
    stay = first_stays(run)
    data = pd.DataFrame({"days": stay.length, "left": stay.ended, "vip": words(run["user"], "tier") == "vip"})
    fit = CoxPHFitter().fit(data, "days", "left").summary.loc["vip"]
    evidence.near(fit["coef"], fit["se(coef)"], math.log(0.25))


def test_a_transition_can_say_otherwise_about_a_segment():
    entity = {"segments": {"tier": {"vip": {"weight": 1, "hazard": 0.25}, "standard": {"weight": 1}}}}
    exits = [{"to": "off", "hazard": "20%/month", "segments": {"tier": {"vip": 3, "standard": 0}}}]
    run = lived(2000, exits, entity=entity)
    vip = words(run["user"], "tier") == "vip"
    stay = first_stays(run)
    assert not stay.ended[~vip].any()
    evidence.poisson(stay.ended.sum(), -3 * math.log(0.8) / MONTH * stay.length[vip].sum())


def test_a_hazard_follows_a_curve_over_time():
    curve = {"type": "window", "from": "2024-04-01", "until": "2024-05-01", "factor": 6}
    stay = first_stays(lived(4000, [{"to": "off", "hazard": "0.1/month", "curves": [curve]}], tick="30d"))
    edges = [START, micros("2024-04-01"), micros("2024-04-11"), micros("2024-05-01"), END]
    exposure = [stay.exposure(a, b) for a, b in itertools.pairwise(edges)]
    left = np.histogram(stay.left[stay.ended], edges)[0]
    evidence.levels(left, np.array(exposure) * [1, 6, 6, 1] * 0.1 / MONTH)


def test_a_seasonal_hazard_follows_the_hour():
    curve = {"type": "hour_of_day", "weights": [0] * 12 + [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]}
    stay = first_stays(lived(4000, [{"to": "off", "hazard": "1/month", "curves": [curve]}], tick="30d"))
    hour = (stay.left[stay.ended] % DAY) // (DAY // 24)
    evidence.proportions(np.bincount(hour, minlength=24), curve["weights"])


def test_a_hazard_follows_age_and_not_the_time_in_the_state():
    entity = {"initial": None, "arrivals": {"rate": "20/day"}}
    steps = {"type": "points", "values": [0, 5, 1], "per": "40d"}
    exits = [{"to": "off", "hazard": "0.2/month", "vintage": steps}]
    states = {"new": {"transitions": [{"to": "on", "after": "10d"}]}, "on": {"transitions": exits}, "off": {}}
    entity["lifecycle"] = {"initial": "new", "states": states}
    run = tables(scenario(entities=population(0, **entity), tick="30d"))
    stay = stays(run).of("on")
    born = instants(run["user"], "born_at")[stay.entity]
    edges = [0, 40, 60, 80, 366]
    exposure = [stay.exposure(born + a * DAY, born + b * DAY) for a, b in itertools.pairwise(edges)]
    ages = (stay.left - born)[stay.ended] / DAY
    evidence.levels(np.histogram(ages, edges)[0], np.array(exposure) * [0, 5, 5, 1] * 0.2 / MONTH)


def test_the_entitys_own_vintage_of_hazards_multiplies_with_the_transitions():
    vintage = {"hazard": {"type": "exponential", "rate": "-1%/day"}}
    exits = [{"to": "off", "hazard": "1/month", "vintage": {"type": "linear", "rate": "1%/day"}}]
    stay = first_stays(lived(4000, exits, entity={"vintage": vintage}, tick="30d"))

    def cumulative(day):
        grid = np.linspace(0, day, 10_001)
        return np.trapezoid(0.99**grid * (1 + grid / 100), grid) / MONTH

    agrees_with(stay, cumulative, (5, 20, 60))


def test_hazards_compete_by_their_size():
    exits = [{"to": "off", "hazard": "0.3/month"}, {"to": "sold", "hazard": "0.1/month", "reason": "price"}]
    run = lived(4000, [*exits, {"to": "lost", "hazard": "0.6/month"}], "sold", "lost")
    stay = first_stays(run)
    left = stay.to[stay.ended]
    evidence.proportions([(left == name).sum() for name in ("off", "sold", "lost")], [3, 1, 6])
    evidence.poisson(len(left), stay.length.sum() / MONTH)
    changes = run["user_lifecycle"]
    assert ((words(changes, "reason") == "price") == (words(changes, "to_state") == "sold")).all()


def test_competing_hazards_of_different_shapes_share_by_the_moment():
    early = {"type": "weibull", "scale": "100d", "shape": 0.5}
    late = {"type": "weibull", "scale": "100d", "shape": 3}
    stay = first_stays(lived(6000, [{"to": "off", "hazard": early}, {"to": "late", "hazard": late}], "late"))
    edges = np.array([0, 5, 30, 60, 90, 120, 400])
    grids = np.linspace(edges[:-1] + 1e-9, edges[1:], 200_001)
    survival = np.exp(-np.sqrt(grids / 100) - (grids / 100) ** 3)
    slow = np.trapezoid(survival * 3 / 100 * (grids / 100) ** 2, grids, axis=0)
    both = -np.diff(np.exp(-np.sqrt(edges / 100) - (edges / 100) ** 3))
    counts = [np.histogram(stay.length[stay.to == name], edges)[0] for name in ("off", "late")]
    evidence.proportions(np.concatenate(counts), np.concatenate([both - slow, slow]))


def test_dwell_times_have_their_distributions_and_branches_their_shares():
    exits = [
        {"to": "off", "after": {"type": "uniform", "low": "1d", "high": "5d"}, "probability": 0.5},
        {"to": "slow", "after": {"type": "gamma", "mean": "10d", "shape": 3}, "probability": 0.3},
    ]
    run = lived(5000, exits, "slow")
    stay = first_stays(run)
    evidence.proportions([(stay.to == name).sum() for name in ("off", "slow", "")], [0.5, 0.3, 0.2])
    evidence.distributed(stay.length[stay.to == "off"], stats.uniform(1, 4).cdf)
    evidence.distributed(stay.length[stay.to == "slow"], stats.gamma(3, scale=10 / 3).cdf)
    seconds = run["user_lifecycle"]["seconds_in_state"].to_numpy()
    evidence.distributed(seconds[words(run["user_lifecycle"], "to_state") == "off"] / 86400, stats.uniform(1, 4).cdf)


def test_a_hazard_cuts_a_dwell_time_short():
    exits = [{"to": "off", "after": "30d"}, {"to": "lost", "hazard": "20%/month"}]
    stay = first_stays(lived(5000, exits, "lost"))
    lost = 1 - 0.8 ** (30 / MONTH)
    evidence.share((stay.to == "lost").sum(), 5000, lost)
    assert np.allclose(stay.length[stay.to == "off"], 30)
    rate = -math.log(0.8) / MONTH
    evidence.distributed(stay.length[stay.to == "lost"], lambda day: (1 - np.exp(-rate * day)) / lost)


def test_round_trips_repeat_with_the_same_hazards():
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "2/month"}]},
        "off": {"transitions": [{"to": "on", "after": {"type": "lognormal", "median": "4d", "sigma": 0.5}}]},
    }
    run = tables(scenario(entities=population(500, lifecycle={"initial": "on", "states": states}), tick="30d"))
    stay = stays(run)
    evidence.poisson(stay.of("on").ended.sum(), stay.of("on").length.sum() * 2 / MONTH)
    pause = stay.of("off")
    early = pause.entered < END - 60 * DAY
    evidence.distributed(pause.length[early], stats.lognorm(0.5, scale=4).cdf)
    assert len(pause.length) > 500 * YEAR_DAYS / 25


def test_initial_states_have_their_weights():
    lifecycle = {"initial": {"on": 3, "off": 1}, "states": {"on": {}, "off": {}}}
    users = tables(scenario(entities=population(5000, lifecycle=lifecycle)))["user"]
    evidence.share((words(users, "state") == "off").sum(), 5000, 0.25)
