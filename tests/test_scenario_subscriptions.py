"""The subscriptions say what they declare, and invoices, plans, seats and payments agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import near, poisson, share
from full_runs import full_run
from scipy import optimize

NAME = "subscriptions"
PLANS = "('starter', 'team', 'business')"
MONTH = 2_629_800
"""Seconds."""

SPANS = """
    SELECT account_id, to_state AS state, event_time AS since,
           coalesce(lead(event_time) OVER life, TIMESTAMPTZ '2026-01-01') AS until
    FROM account_lifecycle WINDOW life AS (PARTITION BY account_id ORDER BY event_time)
"""


def test_every_month_in_a_plan_is_billed_and_no_other():
    due, billed = full_run(NAME).one(
        f"""WITH spans AS ({SPANS}),
                 due AS (SELECT ceil((epoch_us(until) - epoch_us(born_at)) / {MONTH}e6)
                                - ceil((epoch_us(since) - epoch_us(born_at)) / {MONTH}e6) AS months
                         FROM spans JOIN account USING (account_id) WHERE spans.state IN {PLANS})
            SELECT (SELECT sum(months) FROM due), (SELECT count(*) FROM invoice)"""
    )
    assert due == billed > 40_000


def test_an_invoice_is_for_the_plan_of_its_time_at_the_price_of_its_time():
    wrong = full_run(NAME).one(
        """SELECT count(*) FROM invoice AS i JOIN account USING (account_id)
           ASOF JOIN account_lifecycle AS l ON i.account_id = l.account_id AND i.event_time >= l.event_time
           WHERE i.plan <> l.to_state OR abs(i.amount - i.seats * i.seat_price) > 0.0051
              OR abs(i.seat_price - CASE i.plan WHEN 'starter' THEN 12 WHEN 'team' THEN 24 ELSE 45 END
                                  * CASE term WHEN 'annual' THEN 0.84 ELSE 1 END
                                  * CASE WHEN i.event_time >= '2024-03-01' THEN 1.15 ELSE 1 END) > 0.0051"""
    )
    assert wrong == 0


def test_seats_are_the_first_ones_and_all_changes_since_but_never_none():
    refused, wrong, fewest = full_run(NAME).one(
        """WITH steps AS (SELECT seats, lag(seats, 1, first_seats) OVER life AS before, before + seats_change AS wanted
                          FROM invoice AS i JOIN account USING (account_id)
                          WINDOW life AS (PARTITION BY account_id ORDER BY i.event_time))
           SELECT count(*) FILTER (wanted < 1),
                  count(*) FILTER (seats <> CASE WHEN wanted < 1 THEN before ELSE wanted END), min(seats) FROM steps"""
    )
    assert refused > 10
    assert (wrong, fewest) == (0, 1)


def test_sign_ups_spread_as_declared():
    counts = full_run(NAME).rows("SELECT count(*) FROM account GROUP BY year(event_time) ORDER BY year(event_time)")
    totals = np.cumsum([count for (count,) in counts])

    def adopted(years, p, q):
        decay = np.exp(-(p + q) * years)
        return 40_000 * (1 - decay) / (1 + q / p * decay)

    (p, q), _ = optimize.curve_fit(adopted, np.arange(1, 5), totals, p0=(0.03, 0.5))
    assert p == pytest.approx(0.04, rel=0.05)
    assert q == pytest.approx(0.75, rel=0.03)


def test_companies_get_on_with_their_trials_as_declared():
    rows = full_run(NAME).rows(
        """SELECT use, count(*), count(*) FILTER (steps >= 2) FROM onboarding_case JOIN account USING (account_id)
           WHERE channel IN ('content', 'partner') AND started_at < '2025-12-01' GROUP BY use"""
    )
    in_time = 0.9985  # lognormal times within the time-out of 9 days
    for use, trials, projects in rows:
        share(projects, trials, 0.66 * {"core": 1.2, "occasional": 0.75}[use] * in_time)


def test_charges_are_declined_and_repeated_as_declared():
    counts = full_run(NAME).rows(
        """WITH results AS (SELECT step, count(*) FILTER (step = 'charged') OVER path AS attempt
                            FROM payment WHERE event_time < '2025-12-20'
                            WINDOW path AS (PARTITION BY payment_case_id ORDER BY step_index))
           SELECT attempt, count(*), count(*) FILTER (step = 'declined') FROM results
           WHERE step IN ('paid', 'declined') AND attempt <= 2 GROUP BY attempt ORDER BY attempt"""
    )
    (_, first, declined), (_, second, again) = counts
    share(declined, first, 0.044)
    share(again, second, 0.044 * 10.77)


@pytest.mark.parametrize(("use", "factor"), [("core", 1), ("occasional", 2)])
def test_plans_are_paused_as_often_as_declared(use, factor):
    pauses, months = full_run(NAME).one(
        f"""SELECT (SELECT count(*) FROM account_lifecycle JOIN account USING (account_id)
                    WHERE to_state = 'paused' AND use = '{use}'),
                   sum(epoch(until - since)) / {MONTH} FROM ({SPANS}) AS s JOIN account USING (account_id)
            WHERE s.state IN ('starter', 'team') AND use = '{use}'"""
    )
    poisson(pauses, -np.log1p(-0.006) * factor * months)


def test_who_commits_for_a_year_leaves_only_at_its_end_or_unpaid():
    reasons = dict(
        full_run(NAME).rows(
            f"""SELECT reason, count(*) FROM account_lifecycle JOIN account USING (account_id)
                WHERE term = 'annual' AND to_state = 'cancelled' AND from_state IN {PLANS} GROUP BY reason"""
        )
    )
    assert set(reasons) == {"not renewed", "payment failed"}
    ages = full_run(NAME).rows(
        """SELECT epoch(l.event_time - born_at) / 86400 FROM account_lifecycle AS l JOIN account USING (account_id)
           WHERE reason = 'not renewed'"""
    )
    assert len(ages) > 100
    assert all(any(low <= age < low + 24 for low in (372, 737, 1102)) for (age,) in ages)


def test_churn_by_choice_is_as_much_more_frequent_among_occasional_users_as_declared():
    rows = full_run(NAME).rows(
        f"""SELECT use, sum(left_::INT), sum(months) FROM (
                SELECT use, epoch(until - since) / {MONTH} AS months,
                       EXISTS (FROM account_lifecycle AS l WHERE l.account_id = s.account_id AND l.event_time = s.until
                               AND l.reason = 'by choice') AS left_
                FROM ({SPANS}) AS s JOIN account USING (account_id)
                WHERE s.state = 'starter' AND term = 'monthly') GROUP BY use"""
    )
    found = {use: (left, months) for use, left, months in rows}
    rate = {use: left / months for use, (left, months) in found.items()}
    error = np.sqrt(sum(1 / left for left, _ in found.values()))
    # the young, who leave sooner, are more numerous among the occasional: a few percent on top of 1.7 / 0.6
    near(np.log(rate["occasional"] / rate["core"]) - 0.03, error + 0.01, np.log(1.7 / 0.6))


def test_written_off_accounts_are_closed_by_the_next_weekly_job():
    run = full_run(NAME)
    jobs = "SELECT DISTINCT epoch_us(event_time) % 604800000000 FROM account_lifecycle WHERE reason = 'payment failed'"
    assert len(run.rows(jobs)) == 1
    late = run.one(
        f"""SELECT count(*) FROM payment AS p ASOF JOIN account_lifecycle AS l
                ON p.account_id = l.account_id AND p.event_time + INTERVAL 7 DAY >= l.event_time
            WHERE p.step = 'written_off' AND p.event_time < '2025-12-24' AND l.to_state IN {PLANS}
              AND l.event_time < p.event_time"""
    )
    assert late == 0
