"""The share that is left in a state, or alive, is measured as the hazards that are declared say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from lifelines import KaplanMeierFitter
from worlds import SEED, scenario

from sim.maths.units import DAY
from sim.quality.behaviours.remaining import kaplan_meier

TENANCY = scenario(
    end="2025-06-01",
    entities={
        "tenant": {
            "initial": {"count": 300, "age": {"type": "exponential", "mean": "100d"}},
            "arrivals": {"rate": "2/day"},
            "segments": {"tier": {"vip": {"weight": 0.4, "hazard": 0.4}, "standard": {"weight": 0.6}}},
            "lifecycle": {
                "initial": "trial",
                "states": {
                    "trial": {
                        "transitions": [
                            {"to": "settled", "after": {"type": "gamma", "mean": "40d", "shape": 2}},
                            {"to": "gone", "hazard": "10%/month"},
                        ]
                    },
                    "settled": {
                        "transitions": [{"to": "gone", "hazard": {"type": "weibull", "scale": "300d", "shape": 1.4}}]
                    },
                    "gone": {"terminal": True},
                },
            },
        }
    },
)
STATES = "entities.tenant.lifecycle.states"
OTHERWISE = {
    "tenant: trial after 30d": (f"{STATES}.trial.transitions.0.after.mean", "30d"),
    "tenant: settled after 90d": (f"{STATES}.settled.transitions.0.hazard.shape", 0.9),
    "tenant: alive after 365d": (f"{STATES}.settled.transitions.0.hazard.scale", "400d"),
}


@cache
def tenancy():
    return facts_of(TENANCY)


def test_good_facts_raise_no_alarm():
    assert failed("survival", TENANCY, tenancy()) == set()


@pytest.mark.parametrize("subject", OTHERWISE)
def test_another_share_is_found(subject):
    otherwise = changed(TENANCY, *OTHERWISE[subject])
    found = {finding.subject: finding for finding in measured("survival", otherwise, tenancy())}
    assert found[subject].p_value < 1e-4


def test_shares_are_told_with_what_is_declared_and_an_interval():
    found = {finding.subject: finding for finding in measured("survival", TENANCY, tenancy())}
    alive = found["tenant: alive after 365d"]
    assert alive.low < alive.estimate < alive.high
    assert alive.estimate == pytest.approx(alive.declared, abs=0.1)


def test_the_share_that_is_declared_is_that_of_the_distribution():
    alike = changed(TENANCY, "entities.tenant.segments.tier.vip.hazard", 1.0)
    plain = changed(alike, f"{STATES}.trial.transitions", [{"to": "settled", "hazard": "0.03/day"}])
    found = {finding.subject: finding for finding in measured("survival", plain, facts_of(plain))}
    assert found["tenant: trial after 30d"].declared == pytest.approx(np.exp(-0.9), rel=0.01)


def test_the_estimate_is_that_of_kaplan_and_meier_for_lives_that_came_into_sight_late():
    rng = np.random.default_rng(SEED)
    life, entry = rng.weibull(1.3, 3000) * 100 * DAY, rng.uniform(0, 60, 3000) * DAY
    entry[:1000] = 0
    exits = np.minimum(life, entry + rng.uniform(1, 200, 3000) * DAY)
    seen = life > entry
    ended = (life <= exits)[seen]
    rows = [column[seen].astype(np.int64) for column in (entry, exits)]
    share, low, high = kaplan_meier(*rows, rows[1][ended], 90 * DAY)
    fitted = KaplanMeierFitter().fit(rows[1], ended, entry=rows[0])
    assert share == pytest.approx(float(fitted.predict(90 * DAY)), rel=1e-9)
    known = fitted.confidence_interval_.loc[: 90 * DAY].iloc[-1]
    assert (low, high) == pytest.approx(tuple(known), rel=1e-6)


def test_what_facts_lead_out_of_is_not_measured():
    calls = changed(TENANCY, f"{STATES}.settled.transitions", [{"to": "gone", "on": {"stream": "call"}}])
    calls["streams"] = {"call": {"entity": "tenant", "rate": "1/month"}}
    told = {f.subject: f.detail for f in measured("survival", calls, facts_of(calls)) if not f.measured}
    assert "facts lead" in told["tenant: settled"]
    assert "facts lead" in told["tenant: alive"]


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(TENANCY, "entities.tenant.arrivals.rate", "1/day")
    assert uneven(p_values("survival", small, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
