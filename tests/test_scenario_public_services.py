"""The public services say what they declare."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import proportions, share
from full_runs import full_run
from scipy import stats

NAME = "public_services"


def test_counters_are_closed_at_night_on_weekends_and_on_holidays():
    closed = (
        "isodow(event_time) > 5",
        "hour(event_time) NOT BETWEEN 7 AND 17",
        "event_time::DATE IN ('2024-03-29', '2024-05-09', '2025-10-03')",
    )
    assert [full_run(NAME).one(f"SELECT count(*) FROM visit WHERE {when}") for when in closed] == [0, 0, 0]


def test_visits_have_the_declared_shape_of_a_week():
    run = full_run(NAME)
    days = dict(run.rows("SELECT isodow(event_time), count(*) FROM visit WHERE month(event_time) = 7 GROUP BY 1"))
    julys = [np.arange(f"{year}-07-01", f"{year}-08-01", dtype="datetime64[D]") for year in (2023, 2024, 2025)]
    weekdays = np.bincount((np.concatenate(julys).astype(int) + 3) % 7, minlength=7)
    weights = np.array(run.scenario.curves["opening_days"].weights) * weekdays
    proportions([days[day] for day in range(1, 6)], weights[:5])


@pytest.mark.parametrize("stream", ["visit", "application", "tax_return"])
def test_requests_go_to_an_agency_of_the_citizens_region_that_offers_the_service(stream):
    wrong = full_run(NAME).one(
        f"""SELECT count(*) FROM {stream} AS s JOIN citizen AS c USING (citizen_id) JOIN agency AS a USING (agency_id)
            WHERE a.region <> c.region OR a.service <> s.service"""
    )
    assert wrong == 0


def test_who_comes_without_an_appointment_waits_as_much_longer_as_declared():
    waits = dict(full_run(NAME).rows("SELECT appointment, median(wait_minutes) FROM visit GROUP BY appointment"))
    assert waits[False] / waits[True] == pytest.approx(2.8, rel=0.03)


def test_the_longer_the_wait_the_lower_the_score():
    sample = full_run(NAME).rows("SELECT wait_minutes, score FROM visit_rating JOIN visit USING (visit_id)")
    wait, score = np.array(sample).T
    assert stats.spearmanr(wait, score).statistic < -0.4
    assert set(score) == {1, 2, 3, 4, 5}


def test_the_portal_is_down_during_the_attack():
    before, during = full_run(NAME).one(
        """SELECT count(*) FILTER (event_time < '2024-02-05 03:00'), count(*) FILTER (event_time >= '2024-02-05 03:00')
           FROM application WHERE event_time BETWEEN '2024-01-29 03:00' AND '2024-02-12 03:00'"""
    )
    share(during, before + during, 0.02 / 1.02)


def test_only_citizens_with_a_portal_account_apply_through_it():
    strangers = full_run(NAME).one(
        """SELECT count(*) FROM application AS a JOIN citizen AS c USING (citizen_id)
           ASOF LEFT JOIN citizen_lifecycle AS l ON a.citizen_id = l.citizen_id AND a.event_time >= l.event_time
           WHERE coalesce(l.to_state, c.state) <> 'portal'"""
    )
    assert strangers == 0


def test_processing_times_are_the_times_between_application_and_decision():
    off = full_run(NAME).one(
        """SELECT max(abs(days - (epoch(d.event_time) - epoch(a.event_time)) / 86400))
           FROM decision AS d JOIN application AS a USING (application_id)"""
    )
    assert off < 0.0051
