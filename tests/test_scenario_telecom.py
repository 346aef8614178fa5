"""The mobile operator says what it declares."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import Z, near, poisson, proportions, share
from full_runs import full_run
from scipy import stats

NAME = "telecom"

PLANS = """
    SELECT subscriber_id, greatest(born_at, TIMESTAMPTZ '2025-01-01 00:00+00') AS since, state AS plan FROM subscriber
    UNION ALL SELECT subscriber_id, event_time, to_state FROM subscriber_lifecycle
"""
STAYS = f"""
    SELECT subscriber_id, plan, since, lead(plan) OVER w AS next,
           coalesce(lead(since) OVER w, TIMESTAMPTZ '2026-01-01 00:00+00') AS until
    FROM ({PLANS}) WINDOW w AS (PARTITION BY subscriber_id ORDER BY since)
"""


def test_nobody_uses_the_network_after_having_left():
    run = full_run(NAME)
    for stream in ("call", "data_session", "message", "topup", "bill"):
        ghosts = run.one(
            f"""SELECT count(*) FROM {stream} AS f ASOF JOIN ({PLANS}) AS p
                ON f.subscriber_id = p.subscriber_id AND f.event_time >= p.since WHERE p.plan = 'gone'"""
        )
        assert ghosts == 0, stream


def test_top_ups_are_prepaid_and_bills_go_to_contracts():
    run = full_run(NAME)
    plans = f"ASOF JOIN ({PLANS}) AS p ON f.subscriber_id = p.subscriber_id AND f.event_time >= p.since"
    assert run.rows(f"SELECT DISTINCT p.plan FROM topup AS f {plans}") == [("prepaid",)]
    late = run.one(f"SELECT count(*) FROM bill AS f {plans} WHERE p.plan <> f.plan")
    assert late <= run.one("SELECT count(*) FROM subscriber_lifecycle") / 100


def test_cells_are_of_the_subscribers_region():
    run = full_run(NAME)
    for stream in ("call", "data_session", "message"):
        assert not run.one(
            f"""SELECT count(*) FROM {stream} JOIN cell USING (cell_id) JOIN subscriber AS s USING (subscriber_id)
                WHERE cell.region <> s.region"""
        )


def test_calls_are_as_short_as_declared():
    sample = full_run(NAME).rows(
        """SELECT seconds FROM call JOIN subscriber USING (subscriber_id)
           WHERE age_group = 'middle'"""
    )
    seconds = np.array(sample)[:, 0]
    limits = np.array([1, 5, 15, 40, 90, 200, 500, 1500, 7199])
    expected = np.diff(stats.lognorm.cdf(limits, 1.75, scale=58), prepend=0, append=1)
    proportions(np.bincount(np.searchsorted(limits, seconds), minlength=10), expected)


def test_the_frailty_of_subscribers_comes_back_from_their_counts_of_calls():
    counts = np.array(
        full_run(NAME).rows(
            f"""SELECT count(call_id) FROM ({STAYS}) AS s LEFT JOIN call AS c
                  ON c.subscriber_id = s.subscriber_id
                WHERE s.plan = 'sim_only' AND s.since <= '2025-01-02' AND next IS NULL
                  AND s.subscriber_id IN (SELECT subscriber_id FROM subscriber WHERE age_group = 'middle')
                GROUP BY s.subscriber_id"""
        )
    ).ravel()
    variance = (counts.var(ddof=1) - counts.mean()) / counts.mean() ** 2
    assert variance == pytest.approx(1 / 0.7, rel=0.6)
    assert stats.kstest(counts / counts.mean(), "gamma", args=(0.7, 0, 1 / 0.7)).pvalue > 1e-4


def test_churn_of_sim_only_plans_is_as_declared_before_the_price_rise():
    gone, months = full_run(NAME).one(
        f"""SELECT count(*) FILTER (next = 'gone' AND until < '2025-10-01'),
                   sum(CASE age_group WHEN 'young' THEN 1.35 WHEN 'senior' THEN 0.6 ELSE 1 END
                       * greatest(epoch(least(until, TIMESTAMPTZ '2025-10-01 00:00+01') - since), 0)) / 86400 / 30.4375
            FROM ({STAYS}) JOIN subscriber USING (subscriber_id) WHERE plan = 'sim_only'"""
    )
    poisson(gone, -np.log(1 - 0.009) * months)


def test_subscribers_leave_because_of_the_price_only_in_the_month_after_the_announcement():
    within, all_ = full_run(NAME).one(
        """SELECT count(*) FILTER (event_time BETWEEN '2025-10-22' AND '2025-11-21'), count(*)
           FROM subscriber_lifecycle WHERE reason = 'price rise'"""
    )
    assert all_ > 5
    assert within == all_


def test_reminders_and_write_offs_are_as_frequent_as_declared():
    issued, reminded, barred, resolved, lost = full_run(NAME).one(
        """WITH steps AS (SELECT payment_case_id, list(step) AS s
                          FROM payment AS p JOIN subscriber USING (subscriber_id)
                          WHERE age_group = 'middle' GROUP BY ALL HAVING min(p.event_time) < '2025-09-01')
           SELECT count(*), sum(list_contains(s, 'reminder')::INT), sum(list_contains(s, 'barred')::INT),
                  sum((list_contains(s, 'barred') AND list_contains(s, 'paid'))::INT),
                  sum(list_contains(s, 'written_off')::INT) FROM steps"""
    )
    share(reminded, issued, 0.04)
    share(barred, reminded, 0.18)
    assert resolved + lost == barred


def test_data_sessions_grow_by_the_declared_rate():
    sample = full_run(NAME).rows(
        """SELECT epoch(d.event_time) / 31557600,
                  ln(mb / appetite) - avg(ln(mb / appetite)) OVER (PARTITION BY state, age_group, app)
           FROM data_session AS d JOIN subscriber USING (subscriber_id)
           WHERE mb > 1 AND subscriber_id NOT IN (SELECT subscriber_id FROM subscriber_lifecycle)"""
    )
    fit = stats.linregress(*np.array(sample).T)
    near(fit.slope, fit.stderr, np.log(1.18))
    assert fit.stderr * Z < 0.1
