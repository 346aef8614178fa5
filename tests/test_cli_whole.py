"""The command line on a real scenario, from the file to the sink."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from commands import SMALL, children, invoke, start, wait_for
from pyarrow import parquet


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def test_two_workers_print_the_same_bytes_as_one(small):
    one, two = invoke("run", small, "-q"), invoke("run", small, "-q", "--workers", "2")
    assert (one.exit_code, two.exit_code) == (0, 0)
    assert one.stdout_bytes == two.stdout_bytes
    assert len(one.stdout_bytes.splitlines()) > 10_000


def test_a_limit_over_two_workers_takes_the_same_facts(small):
    words = ("run", small, "-q", "--limit", "777")
    assert invoke(*words).stdout_bytes == invoke(*words, "--workers", "2").stdout_bytes


def test_two_workers_with_files_of_their_own_write_the_facts_of_one(small, tmp_path):
    for name, workers in (("one", "1"), ("two", "2")):
        assert invoke("run", small, "-q", "--to", f"parquet:{tmp_path / name}", "--workers", workers).exit_code == 0
    one, two = (parquet.read_table(tmp_path / name / "order").sort_by("order_id") for name in ("one", "two"))
    assert one.to_pylist() == two.to_pylist()


def test_shards_together_are_the_whole(small):
    whole = invoke("run", small, "-q").stdout.splitlines()
    parts = [invoke("run", small, "-q", "--shard", f"{i}/3").stdout.splitlines() for i in (1, 2, 3)]
    assert sorted(whole) == sorted(line for part in parts for line in part)


def test_the_workers_of_a_shard_share_it(small):
    words = ("run", small, "-q", "--shard", "2/3")
    assert invoke(*words).stdout_bytes == invoke(*words, "--workers", "3").stdout_bytes


def test_there_are_no_more_workers_than_blocks(small):
    summary = json.loads(invoke("run", small, "--set", "blocks=1", "--workers", "2", "--json", "--to", "null:").stdout)
    assert summary["facts"] > 10_000


def test_start_end_seed_and_set_change_the_run(small):
    rows = [json.loads(line) for line in invoke("run", small, "--end", "2023-01-03", "-q").stdout.splitlines()]
    assert max(row["event_time"] for row in rows) < "2023-01-03"
    assert (
        invoke("run", small, "--limit", "600", "-q").stdout
        != invoke("run", small, "--limit", "600", "-q", "--seed", "1").stdout
    )
    fewer = invoke("run", small, "--set", "entities.customer.initial.count=3", "--end", "2023-01-02", "-q").stdout
    assert len(fewer.splitlines()) < 50


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_closes_the_sinks_of_all_workers_and_says_what_was_written(small, tmp_path, workers):
    out = tmp_path / "out"
    to = f"parquet:{out}?roll_time=20d"
    process = start("run", small, "--to", to, "--workers", workers, "--json", "--no-progress", "--end", "2199-01-01")
    first = [out / "order" / f"part-00001-{i + 1}-of-{workers}.parquet" for i in range(int(workers))]
    assert wait_for(lambda: all(path.exists() for path in first))
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "")
    summary = json.loads(stdout)
    assert summary["stopped"]
    assert summary["facts"] == sum(parquet.read_table(out / name).num_rows for name in ("customer", "order"))
    assert not list(out.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("number", "text"), [(signal.SIGKILL, "died by signal SIGKILL"), (signal.SIGTERM, "was stopped from outside")]
)
def test_a_worker_that_is_killed_is_reported_and_ends_the_run(small, tmp_path, number, text):
    out = tmp_path / "out"
    process = start("run", small, "--to", f"parquet:{out}", "--workers", "2", "--end", "2199-01-01", "-q")
    workers = wait_for(lambda: (found := children(process.pid))[1:] and out.exists() and found)
    os.kill(workers[1], number)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert text in stderr
    assert children(process.pid) == []


def test_workers_end_when_their_parent_is_killed(small):
    process = start("run", small, "--to", "null:", "--workers", "2", "--end", "2199-01-01", "-q")
    workers = wait_for(lambda: (found := children(process.pid))[1:] and found)
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    process.communicate()


def test_a_second_ctrl_c_aborts(small):
    process = start("run", small, "--speed", "1x", "-q")
    process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_demonstration_ends_by_itself_with_everything_received(small):
    result = invoke("demo", small, "--seconds", "1")
    assert result.exit_code == 0
    sent, acknowledged, received = (
        part.split()[0] for part in result.stdout.splitlines()[-3].removesuffix(". The broker is gone.").split(", ")
    )
    assert sent == acknowledged == received
