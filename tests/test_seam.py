"""One run in two parts: history, then live."""

from __future__ import annotations

import json

import pytest
from commands import SMALL, invoke
from fake_batches import STREAMS, fake_batches
from pyarrow import parquet

from sim.batch import TIME
from sim.cli.terminal import when
from sim.delivery.schedule import Live
from sim.delivery.seam import Seam
from sim.delivery.windows import windows
from sim.errors import ParameterError


def rows(batches):
    return [(b.stream.name, *row.values()) for b in batches for row in b.data.to_pylist()]


@pytest.mark.parametrize("at", [-5, 0, 1, 999_999, 1_000_000, 1_450_000, 2_999_999, 3_000_000, 9_000_000])
def test_what_is_before_and_after_a_seam_is_the_whole_each_on_its_side(at):
    seam = Seam(fake_batches(3), len(STREAMS), at)
    early, late = list(seam.before()), list(seam.after())
    assert sorted(rows(early) + rows(late), key=repr) == sorted(rows(fake_batches(3)), key=repr)
    assert all(time < at for b in early for time in b.data[TIME].cast("int64").to_pylist())
    assert all(time >= at for b in late for time in b.data[TIME].cast("int64").to_pylist())
    bounds = [(w.start, w.until) for part in (early, late) for w in windows(part, len(STREAMS))]
    assert [start for start, _ in bounds][1:] == [until for _, until in bounds][:-1]


def test_the_past_of_a_live_schedule_leaves_at_once_and_the_rest_when_its_time_has_come():
    schedule = Live(1_700_000_000_000_000)
    assert schedule.beginning(50.0, 1_700_000_010.0) == 40.0
    part = next(Live(0).slices(next(windows(fake_batches(1), len(STREAMS)))))
    assert (part.due * 1e6 == sorted(time for times in part.window.times for time in times)).all()


def test_what_a_live_schedule_is_behind_with_leaves_in_few_slices_and_the_rest_in_small_ones():
    (window,) = list(windows(fake_batches(1), len(STREAMS)))
    now = 500_000
    parts = list(Live(0, lambda: now / 1e6).slices(window))
    first, *others = [sorted(time for times in part.window.times for time in times) for part in parts]
    assert len(set(first)) == 10
    assert max(first) < now
    assert [len(set(times)) for times in others] == [1] * 10
    assert len(list(Live(0, lambda: 9.0).slices(window))) == 1


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("rate: 20/month", "rate: 4/h").replace("tick: 1d", "tick: 6h"))
    return str(path)


def test_history_and_live_part_are_the_facts_of_one_run(small, tmp_path):
    lake = tmp_path / "lake"
    words = ("run", small, "--start", "now-2d", "--end", "now+3s", "--to", f"parquet:{lake}", "--json")
    result = invoke(*words, "--then-live", f"csv:{tmp_path / 'live'}")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["until"] == said["end"] == said["live"]["start"]
    assert said["live"]["until"] == said["live"]["end"]
    again = invoke("run", small, "--start", said["start"], "--end", said["live"]["end"], "--to", "stdout:", "-q")
    whole = [fact["order_id"] for fact in map(json.loads, again.stdout.splitlines()) if fact["stream"] == "order"]
    early = parquet.read_table(lake / "order")["order_id"].to_pylist()
    late = [line.split(",")[0] for path in (tmp_path / "live" / "order").glob("*.csv") for line in path.open()][1:]
    assert early + [int(text) for text in late] == whole
    assert len(early) == said["streams"]["order"] > 50_000
    assert len(late) == said["live"]["streams"]["order"]


def test_live_facts_leave_when_their_event_time_is_now(small, tmp_path):
    words = ("run", small, "--start", "now-1h", "--end", "now+4s", "--to", "null:", "--then-live", "stdout:")
    result = invoke(*words, "--set", "streams.order.rate=300/h", "--json")
    facts = [json.loads(line) for line in result.stdout.splitlines()]
    pacing = json.loads(result.stderr.splitlines()[-1])["live"]["pacing"]
    assert len(facts) > 50
    assert 3 < pacing["asked_s"] <= pacing["took_s"]


def test_a_live_part_needs_a_place_in_the_run(small):
    words = ("run", small, "--to", "null:", "--then-live", "null:")
    outside = invoke(*words, "--start", "now-2d", "--until", "now-3d")
    assert (outside.exit_code, "is not in the run" in outside.stderr) == (2, True)
    both = invoke(*words, "--rate", "5/s")
    assert (both.exit_code, "--rate" in both.stderr) == (2, True)
    nonsense = invoke(*words, "--until", "soon")
    assert (nonsense.exit_code, "--until" in nonsense.stderr) == (2, True)


def test_a_live_sink_that_cannot_be_opened_is_known_before_the_history_is_made(small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke(
        "run",
        small,
        "--to",
        f"parquet:{tmp_path / 'lake'}",
        "--then-live",
        f"csv:{tmp_path / 'file'}",
        "--start",
        "now-2d",
    )
    assert result.exit_code in (2, 3)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2023-11-14T22:13:20Z"),
        ("now-1d", "2023-11-13T22:13:20Z"),
        ("NOW + 1h 30min", "2023-11-14T23:43:20Z"),
        ("2024-01-01", "2024-01-01"),
        (None, None),
    ],
)
def test_times_may_be_relative_to_now(text, expected):
    assert when.resolve("--start", text, 1_700_000_000_000_000) == expected


def test_a_relative_time_that_makes_no_sense_is_refused():
    with pytest.raises(ParameterError, match=r"--start 'now-3 fortnights'.*fortnights"):
        when.resolve("--start", "now-3 fortnights", 0)


def test_plan_and_preview_know_relative_times_too(small):
    interval = ("--start", "now-2d", "--end", "now")
    assert invoke("plan", small, *interval).exit_code == 0
    assert invoke("preview", small, "order", *interval).exit_code == 0
