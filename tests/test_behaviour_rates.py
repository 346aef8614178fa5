"""What entities do is measured as declared; what is declared otherwise is found by the check for it and no other."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import statsmodels.api as sm
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from scipy import integrate, sparse, stats
from worlds import END, SEED, START, acting, model, scenario

from sim.maths.ages import PointsAge
from sim.maths.units import DAY
from sim.quality.behaviours.loglinear import Loglinear, count_p
from sim.quality.behaviours.members import members_of, stays_of, track_of_states
from sim.quality.behaviours.tables import AgeTable, TimeTable
from sim.quality.score import grade

SHOP = scenario(
    timezone="Europe/Paris",
    curves={
        "growth": {"type": "exponential", "rate": "40%/year"},
        "hours": {"type": "hour_of_day", "weights": [1] * 8 + [5] * 12 + [2] * 4},
        "week": {"type": "day_of_week", "weights": [1, 1, 1, 1, 1, 2, 2]},
    },
    entities={
        "user": {
            "initial": {"count": 400, "age": {"type": "exponential", "mean": "200d"}},
            "arrivals": {"rate": "2/day"},
            "frailty": {"type": "gamma", "shape": 3},
            "segments": {
                "tier": {
                    "vip": {"weight": 0.2, "activity": 5.0},
                    "standard": {"weight": 0.5},
                    "budget": {"weight": 0.3, "activity": 0.3},
                }
            },
            "vintage": {"activity": {"type": "points", "values": [1, 0.75, 0.6, 0.5, 0.45, 0.4], "per": "month"}},
            "lifecycle": {
                "initial": "active",
                "states": {
                    "active": {
                        "transitions": [{"to": "paused", "hazard": "20%/month"}, {"to": "gone", "hazard": "5%/month"}]
                    },
                    "paused": {"activity": 0.2, "transitions": [{"to": "active", "hazard": "50%/month"}]},
                    "gone": {"terminal": True},
                },
            },
        }
    },
    streams={"act": {"entity": "user", "rate": "6/month", "curves": ["growth", "hours", "week"]}},
)
OTHERWISE = {
    "rate": ("streams.act.rate", "8/month"),
    "segments": ("entities.user.segments.tier.vip.activity", 3.0),
    "states": ("entities.user.lifecycle.states.paused.activity", 0.5),
    "ages": ("entities.user.vintage.activity.values", [1, 0.75, 0.6, 0.5, 0.9, 0.9]),
    "time": ("curves.growth.rate", "-50%/year"),
    "hours": ("curves.hours.weights", [1] * 9 + [5] * 12 + [2] * 3),
    "weekdays": ("curves.week.weights", [1, 1, 1, 1, 1, 1, 2]),
}


@cache
def shop():
    return facts_of(SHOP)


def test_good_facts_raise_no_alarm():
    assert failed("rates", SHOP, shop()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_declaration_is_found_by_the_check_for_it_and_by_no_other(name):
    assert failed("rates", changed(SHOP, *OTHERWISE[name]), shop()) == {name}


def test_a_multiplier_is_estimated_with_an_interval():
    found = {finding.subject: finding for finding in measured("rates", SHOP, shop())}
    vip = found["act: tier vip"]
    assert vip.declared == 5.0
    assert vip.low < vip.estimate < vip.high
    assert vip.high / vip.low < 1.5


def test_facts_of_those_who_are_gone_are_impossible():
    run = facts_of(changed(SHOP, "entities.user.lifecycle.states.gone", {}))
    assert failed("rates", changed(SHOP, "entities.user.lifecycle.states.gone", {}), run) == set()
    assert "impossible_events" in failed("rates", SHOP, run)


def test_p_values_are_uniform_where_facts_are_as_declared():
    frail = {"frailty": {"type": "gamma", "shape": 2}, "segments": {"s": {"a": {"weight": 1}, "b": {"weight": 1}}}}
    world = acting(150, "2/month", frail, stream={"curves": [{"type": "exponential", "rate": "50%/year"}]})
    assert uneven(p_values("rates", world, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}


def test_incidents_that_are_told_of_do_no_harm():
    hit = {"per": "user", "rate": "2/year", "duration": "5d", "streams": {"act": {"rate": 8}}}
    gone = {"from": "2024-03-01", "until": "2024-03-20", "streams": {"act": {"rate": 0.1}}}
    world = acting(300, "4/month", incidents={"spree": hit, "outage": gone})
    run = facts_of(world)
    found = measured("rates", world, run)
    assert not grade(found, 1e-4).failed
    known = {f.subject: f for f in found if f.name == "incident_factor"}
    assert known["act: incident spree on"].declared == 8
    assert known["act: outage"].declared == 0.1
    assert "incident_factor" in failed("rates", changed(world, "incidents.outage.streams.act.rate", 0.3), run)


def test_what_cannot_be_measured_says_why():
    world = acting(10, "4/month", {"emit": False})
    (finding,) = measured("rates", world, facts_of(world))
    assert not finding.measured
    assert "'user' is not there" in finding.detail


def test_expected_events_are_the_integral_of_the_intensity():
    compiled = model(SHOP)
    curve, ages = compiled.activities[0].curve, AgeTable([compiled.populations[0].profiles[0].vintage], 400 * DAY)
    table = TimeTable(curve, START, END)
    t0, t1 = START + 100 * DAY + 12345, START + 133 * DAY + 777
    mass = np.diff(table.at(np.array([t0, t1]))[0])[0]
    brute = integrate.trapezoid(curve.at(np.linspace(t0, t1, 400_001).astype(np.int64)), dx=(t1 - t0) / 400_000)
    assert mass == pytest.approx(brute, rel=1e-4)
    assert ages.first[np.searchsorted(ages.edges, 40 * DAY, side="right") - 1] == 0.75


def test_a_curve_over_age_is_kept_within_a_thousandth():
    curve = PointsAge.model_validate(
        {"type": "points", "points": {"0d": 45, "1d": 15, "30d": 2, "365d": 1}, "interpolation": "linear"}
    )
    table = AgeTable([curve], 400 * DAY)
    ages = np.random.default_rng(SEED).integers(0, 400 * DAY, 5000)
    cell = np.searchsorted(table.edges, ages, side="right") - 1
    line = table.first[cell] + table.slope[cell] * (ages - table.edges[cell])
    assert np.abs(line / curve.at(ages) - 1).max() < 1e-3


def test_a_loglinear_fit_is_the_one_of_statsmodels():
    rng = np.random.default_rng(SEED)
    design = np.column_stack([np.ones(60), rng.integers(0, 2, 60), rng.integers(0, 2, 60)]).astype(float)
    expected = rng.uniform(5, 50, 60)
    observed = rng.poisson(expected * np.exp(design @ [0.1, 0.4, -0.3])).astype(float)
    beta, errors = Loglinear(sparse.csr_matrix(design), expected, observed, None).estimate([0, 1, 2], [])
    fit = sm.GLM(observed, design, family=sm.families.Poisson(), offset=np.log(expected)).fit()
    assert beta == pytest.approx(fit.params, abs=1e-6)
    assert errors == pytest.approx(fit.bse, rel=1e-5)


def test_counts_have_the_p_values_of_a_poisson_distribution():
    mean, counts = 23.0, np.arange(60)
    found = count_p(counts - mean, np.full(60, mean), np.full(60, mean))
    below = stats.poisson.cdf(counts, mean) - stats.poisson.pmf(counts, mean) / 2
    assert found == pytest.approx(2 * np.minimum(below, 1 - below), rel=1e-6)


def test_lives_are_put_together_from_births_and_changes():
    compiled, run = model(SHOP), shop()
    members = members_of(run, compiled, compiled.populations[0])
    stays = stays_of(members, [track_of_states(run, compiled, members, 0)], compiled.start, compiled.end)
    changes = run.db.execute("SELECT count(*) FROM user_lifecycle").fetchone()[0]
    assert len(stays) == len(members) + changes
    alive = (stays.until - stays.start)[stays.states[0] < 2].sum() / DAY
    (told,) = run.db.execute(
        "SELECT sum(seconds_in_state) / 86400 FROM user_lifecycle l JOIN user u USING (user_id)"
        " WHERE u.born_at = u.event_time"
    ).fetchone()
    assert alive > told


def test_a_sample_of_entities_is_enough():
    compiled, run = model(SHOP), shop()
    some = members_of(run, compiled, compiled.populations[0], most=200)
    assert 120 < len(some) < 290
    assert some.share < 0.3


def test_facts_that_lead_to_another_state_have_happened_in_the_one_before():
    last = {"transitions": [{"to": "gone", "on": {"stream": "act", "probability": 0.3}}]}
    states = {"active": last, "gone": {"terminal": True}}
    world = acting(400, "1/month", {"lifecycle": {"initial": "active", "states": states}})
    assert failed("rates", world, facts_of(world)) == set()
