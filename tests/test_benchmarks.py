"""The benchmarks measure what they promise, here at a tiny size and once; never how fast anything is."""

from __future__ import annotations

import math

import pytest

from benchmarks import (
    behaviours,
    engine,
    formats,
    limit,
    pacing,
    quality,
    resources,
    scale,
    simpy_baseline,
    stdout,
    workload,
)


@pytest.fixture
def once(monkeypatch):
    """Every measurement is taken once instead of five times."""

    def run(tasks):
        return {name: [task()] for name, task in tasks.items()}

    monkeypatch.setattr(engine, "interleaved", run)
    monkeypatch.setattr(stdout, "interleaved", run)
    monkeypatch.setattr(formats, "interleaved", run)
    monkeypatch.setattr(pacing, "interleaved", run)
    monkeypatch.setattr(behaviours, "interleaved", run)
    monkeypatch.setattr(quality, "interleaved", run)


def test_the_engine_benchmark_gives_the_promised_figures(once, tmp_path):
    sizes = engine.Sizes(2_000, 200, 2.0, 1_000, scale_apart=False)
    result = engine.measure(sizes, tmp_path)
    for name in ("facts_per_s", "limit_ratio", "simpy_ratio", "peak_rss_mb", "scale_spread"):
        assert math.isfinite(result[name]), name
        assert result[name] > 0, name
    assert result["limit_ratio_with_start"] == result["facts_per_s"] / result["limit_rows_per_s"]["2"]
    assert result["limit_ratio"] > result["limit_ratio_with_start"]
    assert "facts/s to Parquet, 2 workers" in engine.describe(result)


def test_the_stdout_benchmark_counts_what_is_printed(once, tmp_path):
    result = stdout.measure(500, tmp_path)
    assert result["facts"] > 500
    assert result["facts_per_s"] > 0


def test_the_benchmark_of_checks_counts_rows_of_each_section(once, tmp_path):
    result = quality.measure("40/day", tmp_path / "out", end="2023-01-20")
    assert result["rows"] > 500
    assert set(result["rows_per_s_per_core"]) == {"structure", "values"}
    assert "rows/s and core" in quality.describe(result)


def test_the_benchmark_of_behaviours_runs_all_of_them(once, tmp_path, monkeypatch):
    monkeypatch.setattr(behaviours, "RUNS", {behaviours.HEADLINE: ("parquet", 2)})
    result = behaviours.measure(400, tmp_path)
    assert result["facts"] > 5_000
    assert "facts/s to Parquet, 2 workers" in behaviours.describe(result)


def test_the_pacing_benchmark_says_how_late_facts_left(once, tmp_path, monkeypatch):
    monkeypatch.setattr(pacing, "CUSTOMERS", 500)
    result = pacing.measure("2k/s", 0.3, None, tmp_path)
    for late in result["late"].values():
        assert 0 < late["p50_s"] <= late["p99_s"] <= late["max_s"]
    assert "stdout, p99 ms" in pacing.describe(result)


def test_the_limit_writes_all_rows_whatever_the_threads(tmp_path):
    finished = limit.tables(workload.save(tmp_path, 500))
    assert set(finished) == {"customer", "customer_lifecycle", "order"}
    assert all(limit.rows_per_s(finished, tmp_path / "out", threads) > 0 for threads in (1, 2))


def test_the_scales_have_equal_facts(tmp_path):
    splits = [scale.measure(workload.save(tmp_path, round(20_000 / pace), pace)) for pace in (1.0, 0.1)]
    orders = [split.facts["order"] for split in splits]
    assert orders[0] == pytest.approx(orders[1], rel=0.05)


def test_the_baseline_has_the_rates_of_the_engine(tmp_path):
    _, facts = simpy_baseline.begin(300)
    assert len(facts) >= 0
    assert simpy_baseline.facts_per_s(300, 5.0) > 0


def test_the_resources_benchmark_serves_cases():
    assert resources.served_per_s(20_000, 3) > 0


def test_the_formats_benchmark_covers_every_format_and_envelope(once, monkeypatch):
    monkeypatch.setattr(formats, "QUICK", 300)
    result = formats.measure(quick=True)
    assert all(rate > 0 for rate in result["facts_per_s"].values())
    assert result["message_bytes"]["avro"] < result["message_bytes"]["json"] < result["message_bytes"]["json, debezium"]
    assert "avro, values alone" in formats.report(result)
