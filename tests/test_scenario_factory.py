"""The factory says what it declares: shifts, queues, breakdowns that hold a machine, tools that wear."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import distributed, mean, near, ratio, share
from full_runs import full_run
from scipy import stats

NAME = "factory"
HOURS = 3600
LIFE = 60 * HOURS


def test_nothing_is_begun_outside_the_shifts_on_weekends_and_in_the_shutdown():
    closed = (
        "hour(begun) NOT BETWEEN 6 AND 21",
        "isodow(begun) > 5",
        "begun::DATE BETWEEN '2024-08-05' AND '2024-08-18' OR begun::DATE = '2024-10-03'",
    )
    begun = "SELECT queued_at + to_microseconds((waited_s * 1e6)::BIGINT) AS begun FROM lot_service"
    assert [full_run(NAME).one(f"SELECT count(*) FROM ({begun}) WHERE {when}") for when in closed] == [0, 0, 0]


@pytest.mark.parametrize(("step", "minutes", "shape"), [("turning", 34, 6), ("grinding", 27, 8)])
def test_operations_take_as_long_as_declared(step, minutes, shape):
    times = full_run(NAME).rows(f"SELECT served_s FROM lot_service WHERE step = '{step}' AND queued_at < '2024-12-20'")
    distributed(np.array(times)[:, 0] / 60, stats.gamma(shape, scale=minutes / shape).cdf)


def test_lots_and_repairs_never_hold_more_machines_than_there_are():
    most = full_run(NAME).one(
        """WITH visit AS (FROM lot_service UNION ALL BY NAME FROM repair_milling_service),
                moves AS (SELECT queued_at + to_microseconds((waited_s * 1e6)::BIGINT) AS moment, 1 AS change FROM visit
                          WHERE resource = 'milling'
                          UNION ALL SELECT event_time, -1 FROM visit WHERE resource = 'milling')
           SELECT max(busy) FROM (SELECT sum(change) OVER (ORDER BY moment, change) AS busy FROM moves)"""
    )
    assert most == 6


@pytest.mark.parametrize("station", ["turning", "milling", "grinding"])
def test_every_breakdown_of_a_station_is_one_repair_from_that_moment_on(station):
    run = full_run(NAME)
    stops = run.rows(
        f"""SELECT machine_id, b.event_time FROM breakdown AS b JOIN machine USING (machine_id)
            WHERE station = '{station}' ORDER BY ALL"""
    )
    down = run.rows(f"SELECT machine_id, event_time FROM repair_{station} WHERE step = 'down' ORDER BY ALL")
    assert len(stops) > 20
    assert stops == down


def test_badly_kept_machines_break_down_more_often_by_the_declared_factor():
    run = full_run(NAME)
    found = dict(run.rows("SELECT upkeep, count(*) FROM breakdown JOIN machine USING (machine_id) GROUP BY upkeep"))
    ages = run.rows("SELECT upkeep, (epoch('2024-07-01'::TIMESTAMPTZ) - epoch(born_at)) / 86400 FROM machine")
    expected = {"good": 0.0, "poor": 0.0}
    for upkeep, age in ages:
        expected[upkeep] += float(np.interp(age, (0, 365, 3000, 5500), (1.3, 0.8, 1.0, 1.8)))
    ratio(found["poor"], found["good"], 1.5 * expected["poor"] / (0.7 * expected["good"]))


def test_repairs_have_the_declared_distribution():
    times = np.array(full_run(NAME).rows("SELECT served_s FROM repair_turning_service"))[:, 0] / HOURS
    distributed(times, stats.lognorm(s=0.9, scale=3.1).cdf)


def test_wear_is_the_time_since_the_change_of_the_tools():
    off = full_run(NAME).one(
        f"""SELECT max(abs(c.wear - (epoch(c.event_time) - epoch(t.event_time)) / {LIFE}))
            FROM condition AS c ASOF JOIN tool_change AS t
            ON c.machine_id = t.machine_id AND c.event_time >= t.event_time"""
    )
    assert off < 1e-6


def test_diameters_drift_as_tools_wear():
    deviation, wear, offset = np.array(
        full_run(NAME).rows(
            """SELECT deviation_um, wear, offset_um FROM inspection JOIN machine USING (machine_id)
               WHERE inspection.event_time NOT BETWEEN '2024-06-10' AND '2024-06-22'"""
        )
    ).T
    fit = stats.linregress(wear, deviation - offset)
    near(fit.slope, fit.stderr, 13)
    near(fit.intercept, fit.intercept_stderr, -5)
    assert np.std(deviation - offset + 5 - 13 * wear) == pytest.approx(5, rel=0.03)


@pytest.mark.parametrize("tolerance", [12, 16])
def test_as_much_is_scrapped_as_deviations_say(tolerance):
    run = full_run(NAME)
    scrapped, lots = run.one(
        f"""SELECT count(*) FILTER (result = 'scrap'), count(*) FROM inspection JOIN product USING (product_id)
            WHERE tolerance_um = {tolerance} AND inspection.event_time NOT BETWEEN '2024-06-10' AND '2024-06-22'"""
    )
    offsets = np.array(run.rows("SELECT offset_um FROM machine WHERE station = 'grinding'"))[:, 0]
    wear = np.linspace(0, 1, 201)
    expected = stats.norm.cdf((-tolerance - 0.05 + 5 - 13 * wear - offsets[:, None]) / 5).mean()
    share(scrapped, lots, expected)


def test_urgent_lots_are_through_sooner():
    hours = {
        urgent: np.array(
            full_run(NAME).rows(f"SELECT epoch(event_time) - epoch(started_at) FROM lot_case WHERE urgent = {urgent}")
        )[:, 0]
        for urgent in (True, False)
    }
    assert np.median(hours[True]) < 0.7 * np.median(hours[False])
    assert stats.mannwhitneyu(hours[True], hours[False], alternative="less").pvalue < 1e-6


def test_noise_is_as_wide_as_declared_while_the_steel_is_hard():
    noise = full_run(NAME).rows(
        "SELECT noise_um FROM inspection WHERE event_time BETWEEN '2024-06-10' AND '2024-06-21 23:00'"
    )
    mean((np.array(noise)[:, 0] / (5 * 1.7)) ** 2, 1)
