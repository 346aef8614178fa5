"""Runs that a signal ends, paced or not, with workers or alone: what is told is what is there."""

from __future__ import annotations

import json
import os
import signal

import pytest
from commands import SMALL, invoke, start, wait_for
from pyarrow import parquet


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


@pytest.mark.parametrize("pace", [(), ("--rate", "1k/s")])
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")])
def test_the_sink_is_closed_and_what_is_told_is_there(number, workers, pace, small, tmp_path):
    out, end = tmp_path / "out", ("--end", "2199-01-01")
    words = (
        "run",
        small,
        "--to",
        f"parquet:{out}?roll_time=1d",
        "--workers",
        workers,
        *pace,
        *end,
        "--json",
        "--no-progress",
    )
    process = start(*words)
    assert wait_for(lambda: list(out.glob("order/*.parquet")))
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    said = json.loads(stdout)
    assert (process.returncode, stderr, said["stopped"]) == (128 + number, "", True)
    assert not list(out.rglob("*.tmp"))
    written = {name: parquet.read_table(out / name).num_rows for name in ("customer", "order")}
    assert written == said["streams"]


def test_what_a_signal_has_ended_is_gone_on_with(small, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = start("run", small, "--to", f"parquet:{out}?roll_time=1d", "--rate", "2k/s", "-q")
    assert wait_for(lambda: list(out.glob("order/*.parquet")))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    for folder, more in ((out, ["--resume"]), (whole, [])):
        assert invoke("run", small, "--to", f"parquet:{folder}?roll_time=1d", "-q", *more).exit_code == 0
    one, two = (parquet.read_table(folder / "order")["order_id"].to_pylist() for folder in (out, whole))
    assert one == two
