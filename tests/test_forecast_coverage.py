"""The benchmark of coverage counts what runs give, and sees intervals that are too narrow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import SEED

from benchmarks import forecasts
from sim.cli.jobs.job import Job
from sim.engine.simulate import simulate


@pytest.fixture
def week(monkeypatch):
    monkeypatch.setitem(forecasts.ENDS, "telecom", "2025-01-08")
    return Job("telecom", {"end": "2025-01-08"}).model()


def test_what_happened_is_counted_as_the_engine_gives_it(week):
    counted = forecasts.happened(week, SEED)
    facts = dict.fromkeys((stream.name for stream in week.streams), 0)
    for batch in simulate(replace(week, blocks=1), SEED):
        facts[batch.stream.name] += len(batch)
    assert {name: int(counted["streams", name][0]) for name in facts} == facts
    assert counted["all", ""][0] == sum(facts.values())


def test_coverage_is_high_and_that_of_quartered_intervals_is_not(week, monkeypatch):
    usual = forecasts.measure(["telecom"], 2, 8, True)["scenarios"]["telecom"]["inside"]
    told = forecasts.expected

    def quartered(made):
        return {key: np.stack([m, m - (m - low) / 4, m + (h - m) / 4]) for key, (m, low, h) in told(made).items()}

    monkeypatch.setattr(forecasts, "expected", quartered)
    narrow = forecasts.measure(["telecom"], 2, 8, True)["scenarios"]["telecom"]["inside"]
    assert usual["months"] > 0.85
    assert narrow["months"] < usual["months"] - 0.15
