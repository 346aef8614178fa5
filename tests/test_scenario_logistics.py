"""The parcel carrier says what it declares: ways of parcels, hours of work, tours, and what goes wrong."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import distributed, proportions, share
from full_runs import full_run
from scipy import stats

NAME = "logistics"
VISITS = "step IN ('handed_over', 'neighbour', 'safe_place', 'failed')"


def test_nobody_is_visited_at_night_on_sundays_and_on_holidays():
    closed = (
        "isodow(begun) = 7",
        "hour(begun) NOT BETWEEN 8 AND 16",
        "begun::DATE IN ('2024-10-03', '2024-12-25', '2025-01-06')",
    )
    begun = "SELECT queued_at + to_seconds(waited_s) AS begun FROM parcel_service WHERE resource LIKE 'couriers_%'"
    assert [full_run(NAME).one(f"SELECT count(*) FROM ({begun}) WHERE {when}") for when in closed] == [0, 0, 0]


def test_nothing_is_sorted_while_the_sorter_stands_still():
    sorted_ = full_run(NAME).one(
        """SELECT count(*) FROM parcel_service WHERE resource = 'sorter'
           AND queued_at + to_seconds(waited_s) BETWEEN '2024-10-22 14:00' AND '2024-10-23 00:59'"""
    )
    assert sorted_ == 0


@pytest.mark.parametrize("kind", ["house", "flat", "business"])
def test_visits_end_as_declared_for_each_kind_of_recipient(kind):
    run = full_run(NAME)
    branches = run.scenario.processes["parcel"].steps["tour_city"].next
    effects = [branch.segments["kind"].get(kind) for branch in branches]
    expected = [b.probability * (1 if e is None else e.probability) for b, e in zip(branches, effects, strict=True)]
    found = dict(
        run.rows(
            f"""SELECT step, count(*) FROM parcel JOIN recipient USING (recipient_id)
                WHERE {VISITS} AND kind = '{kind}' GROUP BY step"""
        )
    )
    proportions([found.get(branch.to, 0) for branch in branches], expected)


def test_parcels_go_to_the_depot_and_into_a_van_of_the_recipients_region():
    wrong, tours = full_run(NAME).one(
        """SELECT count(*) FILTER (step <> 'tour_' || r.region OR v.region <> r.region OR v.region IS NULL), count(*)
           FROM parcel AS p JOIN recipient AS r USING (recipient_id) LEFT JOIN van AS v USING (van_id)
           WHERE step LIKE 'tour_%'"""
    )
    assert wrong == 0
    assert tours > 10_000


def test_half_of_the_first_failures_are_tried_again_and_nobody_is_visited_three_times():
    first, again, most = full_run(NAME).one(
        """SELECT count(*) FILTER (failures > 0 AND ended), count(*) FILTER (tours = 2 AND ended), max(tours)
           FROM (SELECT count(*) FILTER (step LIKE 'tour_%') AS tours, count(*) FILTER (step = 'failed') AS failures,
                        parcel_case_id IN (SELECT parcel_case_id FROM parcel_case) AS ended
                 FROM parcel WHERE parcel_case_id IN
                      (SELECT parcel_case_id FROM parcel WHERE step = 'label' AND event_time < '2025-01-10')
                 GROUP BY parcel_case_id)"""
    )
    share(again, first, 0.5)
    assert most == 2


def test_times_at_the_door_have_the_declared_distribution():
    times = full_run(NAME).rows(
        "SELECT served_s FROM parcel_service WHERE step = 'tour_south' AND queued_at < '2025-01-29'"
    )
    distributed(np.array(times)[:, 0] / 60, stats.lognorm(s=0.5, scale=9.4).cdf)


def test_express_parcels_overtake_the_others_at_the_depot_and_nowhere_else():
    waits = full_run(NAME).rows(
        """SELECT resource LIKE 'couriers_%' AS depot, express, median(waited_s)
           FROM parcel_service JOIN parcel USING (parcel_case_id, step_index)
           WHERE resource <> 'sorter' AND parcel_service.step_index < 4 GROUP BY ALL"""
    )
    found = {(depot, express): wait for depot, express, wait in waits}
    assert found[True, True] < 0.95 * found[True, False]
    assert found[False, True] == pytest.approx(found[False, False], rel=0.1)


def test_the_snow_delays_the_trucks_to_the_depots_by_the_declared_factor():
    hours = full_run(NAME).rows(
        """SELECT (epoch(min(d.event_time)) - epoch(s.event_time)) / 3600,
                  s.event_time BETWEEN '2025-01-08 06:00' AND '2025-01-10 18:00'
           FROM parcel_service AS s JOIN parcel AS d USING (parcel_case_id)
           WHERE s.step = 'sorting' AND d.step = 'tour_north' GROUP BY s.parcel_case_id, s.event_time"""
    )
    took, snow = np.array(hours).T
    plain = took[(snow == 0) & (took < 3.01)]
    distributed(plain, stats.uniform(2, 1).cdf)
    assert took[snow == 1].mean() == pytest.approx(2.5 * 2.5, rel=0.03)


def test_vans_stay_within_their_district_and_their_odometers_add_up():
    far, broken = full_run(NAME).one(
        """SELECT max(111.2 * sqrt((place.lat - base.lat) ^ 2 + ((place.lon - base.lon) * cos(radians(base.lat))) ^ 2)),
                  count(*) FILTER (abs(p.odometer - before - km) > 0.11)
           FROM (SELECT *, lag(odometer) OVER (PARTITION BY van_id ORDER BY event_time) AS before FROM position) AS p
           JOIN van USING (van_id)"""
    )
    assert far < 12.1
    assert broken == 0


def test_vans_in_the_workshop_are_not_on_the_road():
    on_the_road = full_run(NAME).one(
        """SELECT count(*) FROM position AS p JOIN van AS v USING (van_id)
           ASOF LEFT JOIN van_lifecycle AS l ON p.van_id = l.van_id AND p.event_time >= l.event_time
           WHERE coalesce(l.to_state, v.state) = 'workshop'"""
    )
    assert on_the_road == 0
