"""Exits of states are measured as declared, those of entities that are still there included."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from lifelines import NelsonAalenFitter
from scipy import stats
from worlds import SEED, scenario

from benchmarks.sound import LIVES
from sim.maths.distributions import LognormalDuration
from sim.maths.units import DAY
from sim.quality.behaviours.survival import lengths, share_within
from sim.quality.behaviours.tables import Dwelling

MEMBER = LIVES["entities"]["member"]
CLUB = scenario(
    curves=LIVES["curves"],
    entities={"user": {**MEMBER, "initial": {**MEMBER["initial"], "count": 600}, "arrivals": {"rate": "4/day"}}},
)
STATES = "entities.user.lifecycle.states"
OTHERWISE = {
    "hazard": (f"{STATES}.active.transitions.0.hazard", "30%/month"),
    "hazard_segments": ("entities.user.segments.tier.vip.hazard", 1.0),
    "hazard_time": ("curves.season.weights", [1, 1, 1, 2, 2, 2, 3, 3, 3, 1, 1, 1]),
    "hazard_waiting": (f"{STATES}.active.transitions.1.hazard.shape", 0.8),
}


@cache
def club():
    return facts_of(CLUB)


def test_good_facts_raise_no_alarm():
    assert failed("hazards", CLUB, club()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_hazard_is_found_by_the_check_for_it(name):
    found = failed("hazards", changed(CLUB, *OTHERWISE[name]), club())
    assert name in found
    assert found <= {name, "hazard"}


def test_another_time_in_a_state_is_found():
    found = failed("hazards", changed(CLUB, f"{STATES}.paused.transitions.0.after.mean", "28d"), club())
    assert {"dwell", "dwell_time"} <= found <= {"dwell", "dwell_time", "hazard_waiting"}


def test_another_share_of_ways_out_is_found():
    found = failed("hazards", changed(CLUB, f"{STATES}.trial.transitions.0.probability", 0.35), club())
    assert "dwell" in found


def test_transitions_that_nothing_leads_to_are_impossible():
    club_of_friends = changed(CLUB, "entities.user.segments.tier.vip.hazard", 0.0)
    assert "impossible_events" in failed("hazards", club_of_friends, club())


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(changed(CLUB, "entities.user.initial.count", 150), "entities.user.arrivals.rate", "2/day")
    assert uneven(p_values("hazards", small, range(SEED * 1000, SEED * 1000 + max(SEEDS // 2, 6)))) == {}


def test_the_hazard_of_a_dwell_time_is_that_of_nelson_and_aalen():
    length = LognormalDuration.model_validate({"type": "lognormal", "median": "10d", "sigma": 0.5})
    base = Dwelling([(1.0, length)], [0], 100 * DAY)
    drawn = length.draw(np.random.default_rng(SEED), 20_000) / DAY
    fitted = NelsonAalenFitter().fit(drawn)
    for at in (5.0, 10.0, 20.0):
        empirical = float(fitted.predict(at))
        assert base.cumulative(np.array([at * DAY]))[0] == pytest.approx(empirical, rel=0.06)


def test_lengths_that_were_seen_in_time_only_are_judged_as_such():
    length = LognormalDuration.model_validate({"type": "lognormal", "median": "10d", "sigma": 0.8})
    rng = np.random.default_rng(SEED)
    p_values = []
    for _ in range(60):
        found, horizon = length.draw(rng, 300), rng.uniform(0, 20 * DAY, 300)
        (finding,) = lengths("dwell_time", "x", length, found[found < horizon], horizon[found < horizon])
        p_values.append(finding.p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4


def test_shares_within_a_time_are_the_distribution():
    length = LognormalDuration.model_validate({"type": "lognormal", "median": "10d", "sigma": 0.8})
    times = np.array([-1.0, 0.0, 3 * DAY, 10 * DAY, 90 * DAY])
    known = stats.lognorm.cdf(np.maximum(times, 0) / DAY, 0.8, scale=10)
    assert share_within(length, times) == pytest.approx(known, abs=1e-5)


def test_what_facts_lead_to_in_part_is_not_measured():
    by_fact = changed(
        CLUB,
        f"{STATES}.paused.transitions",
        [{"to": "active", "on": {"stream": "call"}}, {"to": "active", "hazard": "5%/month"}],
    )
    by_fact["streams"] = {"call": {"entity": "user", "rate": "1/month"}}
    told = [f.detail for f in measured("hazards", by_fact, facts_of(by_fact)) if not f.measured]
    assert any("follows from facts" in detail for detail in told)


def test_a_time_in_a_state_that_is_always_the_same_is_exact():
    fixed = changed(CLUB, f"{STATES}.paused.transitions.0", {"to": "active", "after": "20d"})
    run = facts_of(fixed)
    assert failed("hazards", fixed, run) == set()
    assert failed("hazards", changed(fixed, f"{STATES}.paused.transitions.0.after", "21d"), run) == {"dwell_time"}
