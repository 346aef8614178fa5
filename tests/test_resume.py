"""Runs that are broken off and gone on with: every fact once, in order."""

from __future__ import annotations

import json
import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from commands import FAULTS, SMALL, invoke, start, wait_for
from fake_batches import RUN, STREAMS, facts, fake_batches
from pyarrow import parquet

from sim.delivery.pipeline import deliver
from sim.delivery.schedule import Speed
from sim.delivery.windows import remaining, windows
from sim.errors import ParameterError, SinkError
from sinks import open_sink

KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "5"))
"""How often each of the tests below kills a run; by hand, a hundred times."""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("count: 500", "count: 2000").replace("end: 2023-02-01", "end: 2023-03-01"))
    return str(path)


def columns(folder, stream, name):
    parts = sorted((Path(folder) / stream).glob("*.parquet"))
    return [value for part in parts for value in parquet.read_table(part)[name].to_pylist()]


@pytest.mark.parametrize(
    "there", [{}, {"order": 0}, {"order": 7}, {"order": 130, "visit": 51}, {"order": 200, "visit": 200}]
)
def test_what_is_there_already_is_left_out_of_each_stream(there):
    left = list(remaining(windows(fake_batches(4), len(STREAMS)), there))
    whole = facts(list(fake_batches(4)))
    for rank, name in enumerate(("order", "visit")):
        ids = [row for row in facts([b for w in left for b in w.batches]) if row[1] == rank]
        assert ids == [row for row in whole if row[1] == rank][there.get(name, 0) :]
    assert left[-1].until == 4_000_000
    assert all(window.start <= times[0] for window in left for times in window.times if len(times))


def test_a_sink_that_keeps_no_account_cannot_be_resumed():
    with pytest.raises(ParameterError, match="null:: cannot be resumed"):
        deliver(fake_batches(2), open_sink("null:"), STREAMS, RUN, resume=True)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("broken_off", [0, 1, 2, 3])
def test_files_are_gone_on_with_after_the_last_that_is_listed(kind, broken_off, tmp_path):
    url = f"{kind}:{tmp_path}?roll_time=1s"
    stopped = deliver(list(fake_batches(4))[: 2 * broken_off], open_sink(url), STREAMS, RUN)
    (tmp_path / "order").mkdir(exist_ok=True)
    (tmp_path / "order" / f"part-00009-1-of-1.{kind}").write_bytes(b"finished, but not listed")
    (tmp_path / "order" / f".part-00010-1-of-1.{kind}.tmp").write_bytes(b"half")
    resumed = deliver(fake_batches(4), open_sink(url), STREAMS, RUN, resume=True)
    assert (stopped.total + resumed.total, resumed.resumed) == (400, stopped.total)
    document = json.loads((tmp_path / "manifest.json").read_text())
    assert [sum(file["facts"] for file in stream["files"]) for stream in document["streams"].values()] == [200, 200]
    assert sorted(path.name for path in (tmp_path / "order").iterdir()) == sorted(
        file["path"].split("/")[1] for file in document["streams"]["order"]["files"]
    )


def test_a_complete_output_stays_complete(tmp_path):
    url, run = f"parquet:{tmp_path}", replace(RUN, end=4_000_000)
    for resume in (False, True, True):
        outcome = deliver(fake_batches(4), open_sink(url), STREAMS, run, resume=resume)
        assert (outcome.total, outcome.resumed) == ((0, 400) if resume else (400, 0))
        assert json.loads((tmp_path / "manifest.json").read_text())["complete"]
    assert len(columns(tmp_path, "order", "id")) == 200


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"digest": "1" * 64}, "the scenario, a value replaced by --set, or the version"),
        ({"seed": 2}, "seed is 1 there, 2 here"),
        ({"end": 5}, "end is"),
    ],
)
def test_the_output_of_another_run_is_not_gone_on_with(other, message, tmp_path):
    deliver(fake_batches(2), open_sink(f"parquet:{tmp_path}"), STREAMS, RUN)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(SinkError, match=message):
        deliver(fake_batches(2), open_sink(f"parquet:{tmp_path}"), STREAMS, replace(RUN, **other), resume=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_shard_goes_on_with_its_own_files_only(tmp_path):
    for shard in (1, 2):
        run = replace(RUN, shard=shard, shards=2)
        part = list(fake_batches(4, shard=shard, shards=2))
        deliver(part[:4], open_sink(f"parquet:{tmp_path}?roll_time=1s"), STREAMS, run)
    for shard in (1, 2):
        run = replace(RUN, shard=shard, shards=2)
        part = fake_batches(4, shard=shard, shards=2)
        deliver(part, open_sink(f"parquet:{tmp_path}?roll_time=1s"), STREAMS, run, resume=True)
    whole = facts(list(fake_batches(4)))
    assert sorted(columns(tmp_path, "order", "id")) == sorted(number for _, rank, number in whole if rank == 0)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_files_have_every_fact_once_and_in_order_however_often_the_run_is_killed(workers, small, tmp_path):
    whole = tmp_path / "whole"
    assert invoke("run", small, "--to", f"parquet:{whole}", "-q").exit_code == 0
    chance, kills, number = random.Random(int(workers)), 0, 0
    while kills < KILLS:
        out, number = tmp_path / f"out{number}", number + 1
        kills += killed_until_done(chance, small, f"parquet:{out}?roll_time=1d&roll_size=20KB", workers)
        for stream in ("customer", "order"):
            for shard in range(int(workers)):
                parts = sorted((out / stream).glob(f"*-{shard + 1}-of-{workers}.parquet"))
                times = [time for part in parts for time in parquet.read_table(part)["event_time"].to_pylist()]
                assert times == sorted(times)
            assert sorted(columns(out, stream, f"{stream}_id")) == sorted(columns(whole, stream, f"{stream}_id"))


def killed_until_done(chance, scenario, to, workers):
    """Run with --resume until a process lives long enough; how many were killed."""
    kills = 0
    while True:
        process = start("run", scenario, "--to", to, "--workers", workers, "--resume", "-q")
        try:
            stderr = process.communicate(timeout=chance.uniform(0.3, 2.5 if kills < 6 else 60))[1]
        except Exception:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, stderr
        return kills


def test_resuming_needs_a_sink_that_can_and_says_how_to_get_one(small):
    result = invoke("run", small, "--to", "stdout:", "--resume")
    assert (result.exit_code, "cannot" in result.stderr or "keeps no account" in result.stderr) == (2, True)


def test_a_resumed_run_says_what_was_there(small, tmp_path):
    to = f"parquet:{tmp_path / 'out'}"
    first = json.loads(invoke("run", small, "--to", to, "--json").stdout)
    again = json.loads(invoke("run", small, "--to", to, "--json", "--resume").stdout)
    assert (again["facts"], again["resumed"]) == (0, first["facts"])
    changed = invoke("run", small, "--to", to, "--resume", "--set", "streams.order.rate=1/month")
    assert (changed.exit_code, "the scenario" in changed.stderr) == (3, True)


def test_faults_and_their_ledger_are_the_same_when_a_run_is_gone_on_with(small, tmp_path):
    Path(small).write_text(Path(small).read_text() + FAULTS)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert invoke("run", small, "--to", f"parquet:{whole}", "-q").exit_code == 0
    to = f"parquet:{broken}?roll_time=1d"
    process = start("run", small, "--to", to, "--rate", "10k/s", "-q")
    assert wait_for(lambda: len(list((broken / "order").glob("*.parquet"))) > 3)
    process.kill()
    process.communicate()
    for _ in range(2):
        result = invoke("run", small, "--to", to, "-q", "--resume")
        assert result.exit_code == 0, result.stderr
    assert columns(broken, "order", "order_id") == columns(whole, "order", "order_id")
    for table, name in (("injections", "fact_id"), ("windows", "facts"), ("sums", "sum")):
        assert columns(f"{broken}.ledger", table, name) == columns(f"{whole}.ledger", table, name)
    faultless = invoke("run", small, "--to", f"parquet:{broken}", "--no-faults", "--resume")
    assert (faultless.exit_code, "another run" in faultless.stderr) == (3, True)
    limited = invoke("run", small, "--to", to, "--resume", "--limit", "5")
    assert (limited.exit_code, "--limit" in limited.stderr) == (2, True)


def test_a_resumed_paced_run_does_not_wait_for_what_is_there(tmp_path):
    url = f"parquet:{tmp_path}?roll_time=1s"
    deliver(list(fake_batches(4))[:4], open_sink(url), STREAMS, RUN)
    outcome = deliver(fake_batches(4), open_sink(url), STREAMS, RUN, resume=True, schedule=Speed(4.0))
    assert (outcome.total, outcome.resumed) == (200, 200)
    assert outcome.punctuality.asked_s < 2.1 / 4
