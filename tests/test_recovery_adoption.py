"""Adoption by existing entities: p, q and the size of the market come back from the transitions."""

from __future__ import annotations

import math

import evidence
import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from scipy.optimize import curve_fit
from worlds import END, START, instants, micros, population, scenario, stays, tables, words

from sim.errors import ScenarioError
from sim.maths.diffusion import Bass
from sim.maths.units import DAY, YEAR
from sim.scenario.loader import load

P, Q = 0.2, 6.0
"""Per year."""


def adopting(count, hazard=None, entity=None, **transition):
    """A run of `count` users who come from state `out` to state `in` by a Bass hazard."""
    bass = {"type": "bass", "p": f"{P}/year", "q": f"{Q}/year", **(hazard or {})}
    states = {"out": {"transitions": [{"to": "in", "hazard": bass, **transition}]}, "in": {"terminal": True}}
    return tables(
        scenario(entities=population(count, lifecycle={"initial": "out", "states": states}, **(entity or {})))
    )


def adopted_by(years, p, q):
    """The closed form of Bass (1969)."""
    return -np.expm1(-(p + q) * years) / (1 + q / p * np.exp(-(p + q) * years))


def fitted(times, guess):
    """p, q and m with their errors by non-linear least squares on counts per period (Srinivasan and Mason 1986)."""
    edges = np.linspace(0, 1, 41)
    counts = np.histogram(times, edges)[0]

    def sales(_, p, q, m):
        return m * np.diff(adopted_by(edges, p, q))

    found = np.array(guess, dtype=float)
    for _ in range(3):
        weights = np.sqrt(np.maximum(sales(None, *found), 1))
        found, covariance = curve_fit(sales, edges[1:], counts, found, weights, absolute_sigma=True)
    return found, np.sqrt(np.diag(covariance))


def years(frame):
    return (instants(frame) - START) / YEAR


def test_p_q_and_m_are_found_again_by_nonlinear_least_squares():
    openness = {"segments": {"market": {"inside": {"weight": 3}, "outside": {"weight": 1, "hazard": 0}}}}
    run = adopting(20_000, entity=openness)
    inside = (words(run["user"], "market") == "inside").sum()
    found, errors = fitted(years(run["user_lifecycle"]), (0.1, 4, 10_000))
    for estimate, error, declared in zip(found, errors, (P, Q, inside), strict=True):
        evidence.near(estimate, error, declared)
    assert (errors / found < [0.1, 0.05, 0.02]).all()


def test_a_segment_multiplies_the_hazard_of_adoption():
    entity = {"segments": {"kind": {"early": {"weight": 1, "hazard": 2.5}, "late": {"weight": 1, "hazard": 0.4}}}}
    run = adopting(10_000, entity=entity)
    kind, adopted = words(run["user"], "kind"), stays(run).of("out")
    for name, factor in (("early", 2.5), ("late", 0.4)):
        there = kind[adopted.entity] == name
        fit = KaplanMeierFitter().fit(adopted.length[there], adopted.ended[there])
        for year in (0.2, 0.5, 0.9):
            left = (1 - adopted_by(year, P, Q)) ** factor
            error = math.sqrt(left * (1 - left) / there.sum())
            evidence.near(float(fit.predict(year * YEAR / DAY)), error, left)


def test_waiting_for_adoption_is_distributed_like_the_closed_form():
    times = years(adopting(8000)["user_lifecycle"])
    whole = adopted_by((END - START) / YEAR, P, Q)
    evidence.share(len(times), 8000, whole)
    evidence.distributed(times, lambda year: adopted_by(year, P, Q) / whole)


def test_nobody_adopts_before_the_launch():
    run = adopting(8000, {"launch": "2024-04-01"})
    since = (instants(run["user_lifecycle"]) - micros("2024-04-01")) / YEAR
    assert since.min() >= 0
    evidence.distributed(
        since, lambda year: adopted_by(year, P, Q) / adopted_by((END - micros("2024-04-01")) / YEAR, P, Q)
    )


def test_those_who_are_there_before_the_start_may_have_adopted_already():
    entity = {"initial": {"count": 8000, "age": "100d"}}
    users = adopting(0, {"launch": "2023-10-23"}, entity)["user"]
    evidence.share((words(users, "state") == "in").sum(), 8000, adopted_by(70 * DAY / YEAR, P, Q))


def test_imitation_multiplies_with_a_curve():
    window = {"type": "window", "from": "2024-04-01", "until": "2024-05-01", "factor": 0}
    stay = stays(adopting(8000, curves=[window])).of("out")
    bass = Bass(P / YEAR, Q / YEAR)
    edges = np.array([START, micros("2024-04-01"), micros("2024-05-01"), micros("2024-06-01"), micros("2024-08-01")])
    left = np.histogram(stay.left[stay.ended], edges)[0]
    at_risk = [(stay.left >= edge).sum() for edge in edges[:-1]]
    hazard = -np.diff(np.log(1 - bass.share(edges - START))) * [1, 0, 1, 1]
    for count, risk, cumulative in zip(left, at_risk, hazard, strict=True):
        evidence.share(count, risk, -math.expm1(-cumulative))


@pytest.mark.parametrize("wrong", [{"p": "0/year"}, {"q": "-1/year"}, {"launch": "soon"}, {"m": 100}])
def test_a_hazard_of_adoption_that_makes_no_sense_is_refused(wrong):
    bass = {"type": "bass", "p": "0.03/year", "q": "0.38/year", **wrong}
    states = {"out": {"transitions": [{"to": "in", "hazard": bass}]}, "in": {}}
    with pytest.raises(ScenarioError, match=next(iter(wrong))):
        load(scenario(entities=population(1, lifecycle={"initial": "out", "states": states})))
