"""When replayed facts leave: as far apart as they were, faster, at a rate, by the clock; and what memory it takes."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import invoke, start, wait_for
from recordings import play, record, write
from test_metrics import get, port, value  # noqa: F401

from sim.cli.replay import _schedule
from sim.delivery.schedule import Live, Rate, Speed, parse_pace
from sim.delivery.windows import windows
from sinks.samples import SPAN

ROOT = Path(__file__).parent.parent


def due(player, schedule):
    """When the facts are to leave, in seconds, and their event times after the start, in seconds, in their order."""
    parts = [part for window in windows(player.batches(), len(player.streams)) for part in schedule.slices(window)]
    times = [np.sort(np.concatenate(part.window.times)) for part in parts if part.window.batches]
    return np.concatenate([part.due for part in parts]), (np.concatenate(times) - player.start) / 1e6


@pytest.mark.parametrize("speed", ["1x", "60x", "0.5x"])
def test_facts_leave_as_far_apart_as_they_were_over_the_speed(tmp_path, speed):
    record(tmp_path / "o")
    asked, happened = due(play(tmp_path / "o", passes=2, copies=2), parse_pace(speed, None))
    np.testing.assert_allclose(asked, happened / float(speed[:-1]), atol=1e-9)
    assert len(asked) == 753 * 2 * 4


def test_at_a_rate_they_leave_evenly(tmp_path):
    record(tmp_path / "o")
    asked, _ = due(play(tmp_path / "o"), parse_pace("max", "100/s"))
    np.testing.assert_allclose(asked, np.arange(len(asked)) / 100, atol=1e-9)


def test_at_real_time_from_now_on_event_times_are_those_of_the_clock():
    assert isinstance(_schedule("1x", None, 5, 5), Live)
    assert not isinstance(_schedule("1x", None, 4, 5), Live)
    assert not isinstance(_schedule("1x", None, None, 5), Live)
    assert not isinstance(_schedule("2x", None, 5, 5), Live)
    assert isinstance(_schedule("max", "5/s", 5, 5), Rate)
    assert isinstance(_schedule("1x", None, None, 5), Speed)


def test_a_replay_takes_as_long_as_its_speed_says(tmp_path):
    record(tmp_path / "o", sizes=(100, 100))
    words = ("replay", f"parquet:{tmp_path / 'o'}", "--to", "null:", "--json", "--speed", "10x", "--at", "now")
    pacing = json.loads(invoke(*words).stdout)["pacing"]
    assert pacing["asked_s"] == pytest.approx(2 * SPAN / 1e7, abs=0.1)
    assert pacing["took_s"] >= pacing["asked_s"]


def test_a_replay_without_end_is_watched_and_stopped_from_outside(tmp_path, port):  # noqa: F811
    record(tmp_path / "o")
    words = ("--loop", "forever", "--rate", "2k/s", "--to", f"csv:{tmp_path / 'c'}", "-q", "--metrics-port", str(port))
    process = start("replay", f"parquet:{tmp_path / 'o'}", *words)
    assert wait_for(lambda: (value(get(port, "/metrics") or "", "datagen_facts_total") or 0) > 1600)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    told = json.loads((tmp_path / "c" / "manifest.json").read_text())["streams"]
    lines = [len(list(csv.reader(path.open()))) - 1 for path in sorted((tmp_path / "c").glob("*/*.csv"))]
    assert sum(lines) == told["visit"]["facts"] + told["thing"]["facts"] > 1600


MEASURE = """
import resource, sys
from sim.delivery.replay.folder import open_folder
from sim.delivery.replay.naming import Naming
recording = open_folder(sys.argv[1], Naming(key="user"))
facts = sum(len(batch) for batch in recording.batches())
print(facts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(path):
    """The facts of a recording, and the megabytes that reading them all took at most."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_memory_does_not_grow_with_the_recording(tmp_path):
    rng = np.random.default_rng(3)
    for name, files in (("short", 2), ("long", 40)):
        for number in range(files):
            times = number * 10**7 + np.sort(rng.integers(0, 2 * 10**7, 50_000))
            columns = {"user": rng.integers(0, 1000, 50_000), "text": rng.bytes(50_000).hex().encode()}
            columns["text"] = [columns["text"][2 * i : 2 * i + 40].decode() for i in range(50_000)]
            write(tmp_path / name / f"{number:03d}.parquet", times, group=10_000, **columns)
    (few, small), (many, large) = peak(tmp_path / "short"), peak(tmp_path / "long")
    assert (few, many) == (100_000, 2_000_000)
    # All of it would be another 100 MB and more.
    assert large < small + 60
