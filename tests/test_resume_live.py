"""History, then live, broken off at any moment and gone on with: the facts of one run, each of them once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from commands import SMALL, invoke, start, wait_for
from fake_batches import RUN
from pyarrow import parquet

from sim.cli.jobs.continuing import resolved
from sim.maths.instants import format_instant
from sinks import manifest, open_sink
from sinks.manifest import Manifest
from sinks.run import Past

KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "2"))
"""How often the run below is killed in each of its parts; by hand, a hundred times."""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("rate: 20/month", "rate: 4/h").replace("tick: 1d", "tick: 6h"))
    return str(path)


def document(folder):
    return json.loads((Path(folder) / "manifest.json").read_text())


def ids(folder, stream="order"):
    parts = sorted((Path(folder) / stream).glob("*.parquet"))
    return [number for part in parts for number in parquet.read_table(part)[f"{stream}_id"].to_pylist()]


NOW = 1_700_000_000_000_000


def test_times_relative_to_now_are_those_of_the_first_process():
    texts = {"start": "now-1d", "until": "now", "end": "2024-01-01"}
    first = resolved(texts, NOW)
    assert first == {"start": "2023-11-13T22:13:20Z", "until": "2023-11-14T22:13:20Z", "end": "2024-01-01"}
    past = Past(NOW - 86_400_000_000, 5, NOW)
    assert resolved(texts, NOW + 3_600_000_000, past) == first
    assert resolved({"end": "now"}, NOW, past) == {"end": format_instant(5)}
    assert resolved({"until": "now"}, NOW, Past(3, 5)) == resolved({"until": "now"}, NOW)


def test_both_parts_of_a_run_remember_the_whole():
    whole = Past(0, 9_000_000, 4_000_001)
    for run in (replace(RUN, end=4_000_001, whole=whole), replace(RUN, start=4_000_001, end=9_000_000, whole=whole)):
        kept = Manifest("parquet", run)._document()
        assert (manifest.past(kept), run.live) == (whole, run.start > 0)
    assert manifest.past(Manifest("parquet", RUN)._document()) == Past(RUN.start, RUN.end)


def test_a_folder_remembers_the_runs_of_its_scenario_only(small, tmp_path):
    assert open_sink(f"parquet:{tmp_path / 'out'}").last_run("small") is None
    invoke("run", small, "--end", "2023-01-02", "--to", f"parquet:{tmp_path / 'out'}", "-q", "--workers", "2")
    past = open_sink(f"parquet:{tmp_path / 'out'}").last_run("small")
    assert (format_instant(past.start), format_instant(past.end)) == ("2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z")
    assert open_sink(f"parquet:{tmp_path / 'out'}").last_run("other") is None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_that_began_a_while_ago_is_gone_on_with_by_the_same_command(workers, small, tmp_path):
    words = ("run", small, "--start", "now-2d", "--end", "now", "--to", f"parquet:{tmp_path / 'out'}", "--json")
    first = json.loads(invoke(*words, "--workers", workers).stdout)
    again = invoke(*words, "--workers", workers, "--resume")
    assert again.exit_code == 0, again.stderr
    again = json.loads(again.stdout)
    assert (again["facts"], again["resumed"]) == (0, first["facts"])
    assert (again["start"], again["end"]) == (first["start"], first["end"])


def test_a_live_sink_that_keeps_no_account_cannot_be_resumed(small, tmp_path):
    words = ("run", small, "--start", "now-2d", "--to", f"parquet:{tmp_path / 'out'}", "--then-live", "stdout:")
    result = invoke(*words, "--resume")
    assert (result.exit_code, "stdout:" in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def killed(words, ready, chance):
    """Start a run, kill it a moment after it is ready; False where it had ended before."""
    process = start(*words)
    wait_for(lambda: process.poll() is not None or ready())
    try:
        process.wait(chance.uniform(0, 1))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def test_history_and_live_part_are_whole_however_often_the_run_is_killed(small, tmp_path):
    lake, live, chance = tmp_path / "lake", tmp_path / "live", random.Random(7)
    interval = ("--start", "now-20d", "--end", f"now+{6 * KILLS + 8}s")
    words = ("run", small, *interval, "--to", f"parquet:{lake}?roll_time=1d", "--resume", "-q")
    words = (*words, "--then-live", f"parquet:{live}?roll_time=1s")
    kills = sum(killed(words, (lake / "order").exists, chance) for _ in range(KILLS))
    kills += sum(killed(words, lambda: document(lake)["complete"], chance) for _ in range(KILLS))
    last = start(*words)
    assert last.wait(120) == 0, last.communicate()[1]
    assert kills
    past = manifest.past(document(lake))
    assert (document(lake)["complete"], document(live)["complete"]) == (True, True)
    assert manifest.past(document(live)) == past
    whole = ("--start", format_instant(past.start), "--end", format_instant(past.end))
    assert invoke("run", small, *whole, "--to", f"parquet:{tmp_path / 'whole'}", "-q").exit_code == 0
    for stream in ("customer", "order"):
        assert ids(lake, stream) + ids(live, stream) == ids(tmp_path / "whole", stream)
    assert len(ids(live)) > 1
