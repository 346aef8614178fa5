"""On good data checks are silent: their p-values are uniform. Two hundred seeds: `benchmarks/false_alarms.py`."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import false_alarms


def test_p_values_of_values_are_uniform_over_seeds():
    result = false_alarms.measure(12, ("values",))
    assert len(result["uniform_p_values"]) == 9
    assert result["uniform"]
    assert "sound data sets" in false_alarms.describe(result)


def test_p_values_that_are_not_uniform_are_found(monkeypatch):
    noted = false_alarms.grade
    monkeypatch.setattr(false_alarms, "grade", lambda found, alpha: noted(map(_smaller, found), alpha))
    assert not false_alarms.measure(12, ("values",))["uniform"]


def _smaller(finding):
    return finding if finding.p_value is None else replace(finding, p_value=finding.p_value / 10)
