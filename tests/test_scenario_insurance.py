"""The motor insurer says what it declares, and its claims are paid to the cent."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import distributed, near, poisson, proportions, share
from full_runs import full_run
from scipy import stats

NAME = "insurance"
YEAR_S = 365.25 * 86400


def test_a_settled_claim_has_paid_what_it_comes_to_and_a_refused_one_nothing():
    off, claims, refused = full_run(NAME).one(
        """WITH cases AS (SELECT any_value(ultimate) AS ultimate, sum(paid) AS paid, list(step) AS steps
                          FROM liability_claim GROUP BY liability_claim_case_id
                          UNION ALL SELECT any_value(ultimate), sum(paid) FILTER (step <> 'supplement'), list(step)
                          FROM injury_claim GROUP BY injury_claim_case_id)
           SELECT max(abs(ultimate - paid)) FILTER (list_contains(steps, 'settled')),
                  count(*) FILTER (list_contains(steps, 'settled')),
                  sum(paid) FILTER (list_contains(steps, 'refused')) FROM cases"""
    )
    assert claims > 3000
    assert off < 0.11  # up to 20 payments, each rounded to the cent
    assert refused == 0


def test_every_claim_is_about_an_accident_of_its_own_policy_and_comes_later():
    run = full_run(NAME)
    for claim, event in (("liability_claim", "accident"), ("injury_claim", "accident"), ("damage_claim", "damage")):
        wrong, cases, events = run.one(
            f"""SELECT count(*) FILTER (e.event_time IS NULL OR e.policy_id <> c.policy_id
                                        OR e.event_time > c.event_time),
                       count(*), count(DISTINCT {event}_id)
                FROM {claim} AS c LEFT JOIN {event} AS e USING ({event}_id) WHERE step = 'reported'"""
        )
        assert wrong == 0, claim
        assert cases == events > 100


def test_terms_last_a_year_and_the_declared_share_is_renewed():
    renewed, switched, off = full_run(NAME).one(
        f"""SELECT count(*) FILTER (reason = 'renewed'), count(*) FILTER (reason = 'switched'),
                   max(abs(seconds_in_state - {YEAR_S})) FILTER (reason IN ('renewed', 'switched'))
            FROM policy_lifecycle"""
    )
    share(renewed, renewed + switched, 0.94)
    assert off < 1


def test_every_term_has_one_premium_at_its_beginning():
    terms, paid, later = full_run(NAME).one(
        """SELECT count(*), count(p.event_time), count(*) FILTER (p.event_time > l.event_time)
           FROM policy_lifecycle AS l LEFT JOIN premium AS p USING (policy_lifecycle_id) WHERE to_state = 'active'"""
    )
    assert terms == paid == full_run(NAME).one("SELECT count(*) FROM premium") > 100_000
    assert later == 0


def test_the_no_claims_class_rises_by_one_a_term_and_falls_by_five_after_an_accident():
    rows = full_run(NAME).rows(
        """WITH terms AS (SELECT policy_id, event_time, no_claims,
                                 lag(no_claims) OVER w AS before, lag(event_time) OVER w AS since
                          FROM premium WINDOW w AS (PARTITION BY policy_id ORDER BY event_time)),
                counted AS (SELECT before, no_claims, count(accident_id) AS accidents
                            FROM terms AS t LEFT JOIN accident AS a
                              ON a.policy_id = t.policy_id AND a.event_time >= since AND a.event_time < t.event_time
                            WHERE since IS NOT NULL GROUP BY t.policy_id, t.event_time, before, no_claims)
           SELECT accidents > 0, count(*), count(*) FILTER (
                      no_claims = CASE WHEN accidents > 0 THEN greatest(before - 5, 0) ELSE least(before + 1, 35) END)
           FROM counted GROUP BY 1"""
    )
    assert {accident: renewals == right for accident, renewals, right in rows} == {False: True, True: True}
    assert min(renewals for _, renewals, _ in rows) > 1000


def test_cars_are_sold_at_the_declared_rate_within_a_term():
    sold, months = full_run(NAME).one(
        """SELECT count(*) FILTER (reason = 'car sold'), sum(seconds_in_state) / 86400 / 30.4375
           FROM policy_lifecycle AS l JOIN policy USING (policy_id)
           WHERE driver = 'experienced' AND from_state = 'active'
           AND l.event_time - to_seconds(seconds_in_state::BIGINT) BETWEEN '2019-01-01' AND '2023-12-31'"""
    )  # the terms that began in the run and are over before its end
    poisson(sold, -np.log(1 - 0.004) * months)


def test_young_drivers_cause_accidents_as_many_times_as_often_as_declared():
    run = full_run(NAME)
    counts = dict(run.rows("SELECT driver, count(*) FROM accident JOIN policy USING (policy_id) GROUP BY 1"))
    terms = dict(run.rows("SELECT driver, count(*) FROM premium JOIN policy USING (policy_id) GROUP BY 1"))
    per_term = {driver: counts[driver] / terms[driver] for driver in counts}
    assert per_term["young"] / per_term["experienced"] == pytest.approx(1.35 / 0.85, rel=0.13)


def test_accidents_follow_the_months_of_their_year():
    run = full_run(NAME)
    months = dict(run.rows("SELECT month(event_time), count(*) FROM accident GROUP BY 1"))
    lengths = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    weights = np.array(run.scenario.curves["crash_months"].weights) * lengths
    proportions([months[month] for month in range(1, 13)], weights)


def test_the_cost_of_material_damage_is_lognormal_and_grows_by_the_declared_rate():
    sample = full_run(NAME).rows(
        """SELECT epoch(event_time - TIMESTAMPTZ '2019-01-01 00:00+01') / 31557600, ln(cost) FROM accident
           WHERE kind = 'material' AND cost > 50"""
    )
    years, logs = np.array(sample).T
    fit = stats.linregress(years, logs)
    near(fit.slope, fit.stderr, np.log(1.06))
    distributed(logs - np.log(1.06) * years, "norm", np.log(1700), 0.85)


def test_reports_take_as_long_as_declared():
    days = full_run(NAME).rows(
        """SELECT epoch(c.event_time - a.event_time) / 86400
           FROM liability_claim AS c JOIN accident AS a USING (accident_id)
           WHERE step = 'reported' AND a.event_time < '2024-01-01'"""
    )
    distributed(np.log(np.ravel(days)), "norm", np.log(4), 1.2)


def test_payments_for_bad_injuries_go_on_as_often_as_declared():
    again, settled = full_run(NAME).one(
        """SELECT count(*) FILTER (step = 'payment' AND before = 'payment'), count(*) FILTER (step = 'settled')
           FROM (SELECT step, lag(step) OVER (PARTITION BY injury_claim_case_id ORDER BY step_index) AS before,
                        min(event_time) OVER (PARTITION BY injury_claim_case_id) AS reported FROM injury_claim)
           WHERE reported < '2021-01-01'"""
    )
    assert again / (again + settled) == pytest.approx(0.78, abs=0.06)
