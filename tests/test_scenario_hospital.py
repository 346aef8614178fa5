"""The hospital says what it declares, and its queues obey the laws of queues."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import distributed, mean, proportions, share
from full_runs import full_run
from scipy import stats

NAME = "hospital"
DAY = 86_400


def test_arrivals_have_the_declared_shape_of_a_day():
    run = full_run(NAME)
    hours = dict(
        run.rows(
            """SELECT hour(event_time), count(*) FROM emergency
               WHERE step = 'arrival' AND event_time::DATE NOT IN ('2023-10-29', '2024-03-31') GROUP BY 1"""
        )
    )
    proportions([hours[hour] for hour in range(24)], run.scenario.curves["hours"].weights)


@pytest.mark.parametrize(
    ("group", "majors"), [("child", 0.375 * 0.64), ("adult", 0.375), ("elderly", 0.375 * 2)], ids=str
)
def test_triage_sends_each_age_group_to_majors_as_often_as_declared(group, majors):
    seen, sent = full_run(NAME).one(
        f"""SELECT count(*), count(*) FILTER (step = 'majors') FROM emergency JOIN patient USING (patient_id)
            WHERE step IN ('resuscitation', 'majors', 'minors', 'streamed') AND age_group = '{group}'"""
    )
    share(sent, seen, majors)


def test_who_is_triaged_goes_somewhere():
    triaged, gone = full_run(NAME).one(
        """SELECT count(*) FILTER (step = 'triage'),
                  count(*) FILTER (step IN ('resuscitation', 'majors', 'minors', 'streamed')) FROM emergency"""
    )
    assert 0 <= triaged - gone <= 5


def test_stays_on_a_ward_have_the_declared_distribution_among_those_who_came_early_enough_to_be_discharged():
    stays = full_run(NAME).rows(
        "SELECT served_s FROM emergency_service WHERE step = 'medical_ward' AND queued_at < '2023-11-15'"
    )
    distributed(np.array(stays)[:, 0] / DAY, stats.lognorm(s=0.9, scale=4.5).cdf)


def test_no_bed_has_two_patients_even_of_two_processes():
    fullest = full_run(NAME).one(
        """WITH visit AS (FROM (FROM emergency_service UNION ALL BY NAME FROM operation_service)
                          WHERE resource = 'surgical_beds'),
                moves AS (SELECT queued_at + to_microseconds((waited_s * 1e6)::BIGINT) AS moment, 1 AS change FROM visit
                          UNION ALL SELECT event_time, -1 FROM visit)
           SELECT max(busy) FROM (SELECT sum(change) OVER (ORDER BY moment, change) AS busy FROM moves)"""
    )
    assert fullest == full_run(NAME).scenario.resources["surgical_beds"].capacity


def test_the_most_urgent_wait_least():
    resus, majors = (
        np.array(full_run(NAME).rows(f"SELECT waited_s FROM emergency_service WHERE step = '{step}'"))[:, 0]
        for step in ("resuscitation", "majors")
    )
    assert resus.mean() < majors.mean() / 2
    assert stats.mannwhitneyu(resus, majors, alternative="less").pvalue < 1e-6


@pytest.mark.parametrize("resource", ["medical_beds", "elderly_beds", "doctors"])
def test_the_mean_queue_is_what_the_waits_add_up_to(resource):
    since, until = "'2023-05-01'::TIMESTAMPTZ", "'2024-02-01'::TIMESTAMPTZ"
    queue, hours = full_run(NAME).one(
        f"""SELECT avg(waiting), count(*) FROM resource_load
            WHERE resource = '{resource}' AND event_time > {since} AND event_time <= {until}"""
    )
    waited = full_run(NAME).one(
        f"""SELECT sum(epoch(least(queued_at + to_seconds(waited_s), {until}))
                       - epoch(greatest(queued_at, {since}))) / 3600
            FROM emergency_service
            WHERE resource = '{resource}' AND queued_at < {until} AND queued_at + to_seconds(waited_s) > {since}"""
    )
    assert waited / hours == pytest.approx(queue, rel=0.02)


def test_full_wards_keep_patients_waiting():
    waiting, load = np.array(
        full_run(NAME).rows(
            """WITH day AS (SELECT event_time::DATE AS day, avg(busy / capacity) AS load FROM resource_load
                             WHERE resource = 'medical_beds' GROUP BY 1),
                    wait AS (SELECT queued_at::DATE AS day, avg(waited_s) AS waited FROM emergency_service
                             WHERE step = 'medical_ward' GROUP BY 1)
               SELECT waited, load FROM day JOIN wait USING (day)"""
        )
    ).T
    assert stats.spearmanr(waiting, load).statistic > 0.5


def test_the_dead_are_dead_within_two_days_and_do_not_come_again():
    deaths, dead = full_run(NAME).one(
        """SELECT (SELECT count(DISTINCT patient_id) FROM emergency WHERE step = 'death' AND event_time < '2024-03-28'),
                  (SELECT count(*) FROM patient_lifecycle WHERE to_state = 'dead' AND event_time < '2024-03-31')"""
    )
    assert dead >= deaths > 100
    after = full_run(NAME).one(
        """SELECT count(*) FROM emergency AS e JOIN patient_lifecycle AS l USING (patient_id)
           WHERE l.to_state = 'dead' AND e.step = 'arrival' AND e.event_time > l.event_time"""
    )
    assert after == 0


def test_scores_fall_by_what_a_wait_of_two_hours_costs():
    waited, score = np.array(
        full_run(NAME).rows(
            """SELECT waited_s / 7200, score FROM survey JOIN emergency_service USING (emergency_service_id)
               WHERE waited_s BETWEEN 7200 AND 18000"""
        )
    ).T
    mean(score - np.clip(4.9 - waited, 1, 5), 0.0)
