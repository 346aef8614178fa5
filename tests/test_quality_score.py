"""Findings are graded together: p-values by Holm's method, and a score by section."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from sim.quality.finding import exact, statistical, unmeasured
from sim.quality.score import grade, holm


def test_holm_is_what_statsmodels_says():
    p_values = np.random.default_rng(1).uniform(size=50) ** 4
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_one_small_p_value_among_many_is_no_failure():
    findings = [statistical("values", "shares", f"s.{i}", p) for i, p in enumerate([0.003, *np.linspace(0.1, 1, 60)])]
    assert grade(findings, 0.01).sound
    assert not grade(findings[:1], 0.01).sound


def test_among_many_sound_data_sets_alpha_is_the_share_of_false_alarms():
    draws = np.random.default_rng(2).uniform(size=(2000, 20))
    alarms = np.array([(holm(row) <= 0.05).any() for row in draws])
    assert alarms.mean() == pytest.approx(0.05, abs=0.02)


def test_a_check_counts_once_however_many_subjects_it_has():
    keys = [exact("structure", "unique", f"s.{i}", int(i == 0)) for i in range(4)]
    verdict = grade([*keys, exact("structure", "order", "s", 0)])
    assert verdict.sections == {"structure": pytest.approx(100 * (0.75 + 1) / 2)}


def test_the_total_is_over_the_sections_that_there_are():
    verdict = grade([exact("structure", "order", "s", 0), exact("values", "range", "s.a", 3)])
    assert verdict.total == pytest.approx(100 * 0.4 / 0.7)
    assert [finding.name for finding in verdict.failed] == ["range"]


def test_what_cannot_be_measured_does_not_count():
    verdict = grade([unmeasured("behaviour", "rates", "s", "births are no stream")])
    assert verdict.sound
    assert verdict.total is None
    assert verdict.findings[0].detail == "not measurable: births are no stream"


def test_an_exact_finding_tells_how_many_break_it():
    found = exact("structure", "unique", "s.id", 3, "the id 7 is there twice", of=1000)
    assert not found.passed
    assert found.detail == "3 of 1,000: the id 7 is there twice"
