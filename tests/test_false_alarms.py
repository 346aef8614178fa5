"""On good data checks are silent: their p-values are uniform. Two hundred seeds: `benchmarks/false_alarms.py`."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import false_alarms


def test_p_values_of_values_are_uniform_over_seeds():
    result = false_alarms.measure(12, ("values",), ["values"])
    assert len(result["checks"]) == 9
    assert result["uniform"]
    assert "sound data sets" in false_alarms.describe(result)


def test_p_values_that_are_not_uniform_are_found(monkeypatch):
    noted = false_alarms.grade
    monkeypatch.setattr(false_alarms, "grade", lambda found, alpha: noted(map(_smaller, found), alpha))
    assert not false_alarms.measure(12, ("values",), ["values"])["uniform"]


def test_sound_worlds_have_all_kinds_of_behaviour():
    checks = {name.split()[0] for name in false_alarms.measure(1)["checks"]}
    of_rates = {"rate", "segments", "states", "ages", "time", "cohorts", "hours", "weekdays"}
    of_lives = {"hazard", "hazard_segments", "hazard_time", "hazard_ages", "hazard_waiting", "dwell", "dwell_time"}
    of_lives |= {"survival"}
    of_births = {"births", "births_time", "adoption", "delay"}
    of_cases = {"ways", "way_segments", "way_time", "first_steps", "delays", "service_times"}
    of_journeys = {"conversions", "attribution_shares", "removal_effects"}
    of_followers = {"followers", "follower_counts"}
    of_values = {"value_segments", "value_ages", "value_time", "shares", "null_shares", "distributions"}
    on_schedules = {"scheduled", "jitter"}
    assert of_rates | of_lives | of_births | of_cases | of_journeys | of_followers | of_values | on_schedules <= checks


def _smaller(finding):
    return finding if finding.p_value is None else replace(finding, p_value=finding.p_value / 10)
