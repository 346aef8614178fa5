"""The fleet of sensors says what it declares."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import near, share
from full_runs import full_run
from scipy import stats

NAME = "iot"


def test_only_sensors_that_are_online_report():
    strangers = full_run(NAME).one(
        """SELECT count(*) FROM reading AS r JOIN device AS d USING (device_id)
           ASOF LEFT JOIN device_lifecycle AS l ON r.device_id = l.device_id AND r.event_time >= l.event_time
           WHERE coalesce(l.to_state, d.state) <> 'online' AND epoch(r.event_time - l.event_time) > 60"""
    )
    assert strangers == 0


def test_reports_come_once_an_hour_since_the_sensor_was_put_up():
    sample = full_run(NAME).rows(
        "SELECT epoch(r.event_time - born_at) FROM reading AS r JOIN device USING (device_id) WHERE reading_id % 7 = 0"
    )
    late = np.array(sample)[:, 0] % 3600
    assert stats.kstest(late[late < 30], "expon", args=(0, 2)).pvalue > 1e-4
    assert np.mean(late < 30) > 0.9999


def test_two_reports_in_a_hundred_get_lost():
    came, lost = full_run(NAME).one(
        """SELECT count(*) FILTER (gap < 5400), count(*) FILTER (gap BETWEEN 5400 AND 9000)
           FROM (SELECT epoch(event_time - lag(event_time) OVER (PARTITION BY device_id ORDER BY event_time)) AS gap
                 FROM reading WHERE device_id NOT IN (SELECT device_id FROM device_lifecycle))"""
    )
    share(came, came + lost, 0.98)


def test_the_charge_used_is_what_was_used_before_and_all_that_the_reports_have_cost():
    off, facts = full_run(NAME).one(
        """SELECT max(abs(used_at_start + summed - used_mah)), count(*)
           FROM (SELECT device_id, used_mah, sum(mah) OVER (
                        PARTITION BY device_id ORDER BY event_time, reading_id ROWS UNBOUNDED PRECEDING) AS summed
                 FROM reading) JOIN device USING (device_id)"""
    )
    assert facts > 300_000
    assert off < 0.001


def test_a_deviation_of_the_temperature_halves_in_nine_hours():
    sample = full_run(NAME).rows(
        """SELECT x.temperature_c / set_point_c, y.temperature_c / set_point_c
           FROM reading AS x JOIN device USING (device_id)
           JOIN reading AS y ON y.device_id = x.device_id AND y.event_time BETWEEN
                x.event_time + INTERVAL 59 MINUTE AND x.event_time + INTERVAL 61 MINUTE
           WHERE x.event_time BETWEEN '2025-02-01' AND '2025-02-21' AND hour(x.event_time) BETWEEN 1 AND 2"""
    )
    now, later = np.array(sample).T
    assert np.corrcoef(now, later)[0, 1] == pytest.approx(2 ** (-1 / 9), abs=0.03)


def test_connections_are_lost_for_as_long_as_declared():
    hours = np.log(
        full_run(NAME).rows("SELECT seconds_in_state / 3600 FROM device_lifecycle WHERE from_state = 'offline'")
    ).ravel()
    near(hours.mean(), hours.std(ddof=1) / np.sqrt(len(hours)), np.log(3))
    assert stats.kstest(hours, "norm", args=(np.log(3), 1.1)).pvalue > 1e-4


def test_air_is_as_stale_as_people_are_busy_and_rooms_are_stuffy():
    sample = full_run(NAME).rows(
        """SELECT motion * stuffiness,
                  co2_ppm - 428 - drift_ppm_year * least(epoch(r.event_time - d.born_at) / 86400, 730) / 365.25
           FROM reading AS r JOIN device AS d USING (device_id)
           WHERE r.event_time < '2025-02-15' AND co2_ppm < 4500 AND reading_id % 5 = 0"""
    )
    load, excess = np.array(sample).T
    assert stats.linregress(load, excess).slope == pytest.approx(1.25, rel=0.06)
    assert np.abs(excess[load == 0].mean()) < 1


def test_alerts_are_about_readings_out_of_bounds_and_weak_batteries_are_reported_once():
    wrong, batteries, devices = full_run(NAME).one(
        """SELECT count(*) FILTER (NOT CASE kind WHEN 'air' THEN co2_ppm > 2000 WHEN 'heat' THEN temperature_c > 26
                                   ELSE battery_percent BETWEEN 9.9 AND 10.1 END),
                  count(*) FILTER (kind = 'battery'), count(DISTINCT a.device_id) FILTER (kind = 'battery')
           FROM alert AS a JOIN reading USING (reading_id)"""
    )
    assert wrong == 0
    assert batteries == devices > 0


def test_the_bad_release_is_rolled_back_as_often_as_declared():
    back, installed = full_run(NAME).one(
        """SELECT count(*) FILTER (step = 'rolled_back'), count(*) FILTER (step = 'installed')
           FROM firmware_update WHERE version = '3.4.1' AND event_time < '2025-04-20'"""
    )
    share(back, installed, 12 * 0.015)


def test_the_firmware_of_a_sensor_is_what_its_updates_have_set():
    run = full_run(NAME)
    replayed = """SELECT device_id, event_time, CASE step WHEN 'installed' THEN version ELSE previous END AS firmware
                  FROM firmware_update WHERE step IN ('installed', 'rolled_back')"""
    wrong, versions = run.one(
        f"""SELECT count(*) FILTER (v.firmware <> coalesce(u.firmware, d.firmware)), count(*)
            FROM device_version AS v JOIN device AS d USING (device_id)
            ASOF LEFT JOIN ({replayed}) AS u ON u.device_id = v.device_id AND v.valid_from >= u.event_time"""
    )
    assert wrong == 0
    assert versions > 500


def test_the_bad_release_drains_batteries_as_declared():
    bad, good = full_run(NAME).one(
        """SELECT avg(mah * 24 / v.mah_per_day) FILTER (v.firmware = '3.4.1'),
                  avg(mah * 24 / v.mah_per_day) FILTER (v.firmware <> '3.4.1')
           FROM reading AS r JOIN device_version AS v ON v.device_id = r.device_id
            AND r.event_time >= v.valid_from AND (v.is_current OR r.event_time < v.valid_to)"""
    )
    assert bad == pytest.approx(1.6, abs=0.01)
    assert good == pytest.approx(1, abs=0.01)
