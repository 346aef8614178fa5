"""A disk that is full: one line that says so, an exit code, and an output that can be gone on with."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from commands import ROOT, SMALL, invoke
from fake_batches import RUN, STREAMS, fake_batches
from pyarrow import csv, parquet

from sim.delivery.pipeline import deliver
from sim.errors import SinkError
from sinks import open_sink

LIMIT = {"parquet": 8_000, "csv": 60_000}
"""Bytes that a file may have: a disk on which no more fits."""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def cramped(limit, *words, stdout=subprocess.PIPE):
    """A run in which no file can become larger than that."""
    code = "from sim.cli.main import main; main()"
    narrow = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    command = [sys.executable, "-B", "-c", code, "run", *words]
    return subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=narrow,
                          timeout=120, check=False)  # fmt: skip


def order_ids(folder):
    parts = sorted((Path(folder) / "order").iterdir())
    read = {".parquet": parquet.read_table, ".csv": csv.read_csv}
    return [number for part in parts for number in read[part.suffix](part)["order_id"].to_pylist()]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_full_disk_is_told_in_a_line_and_the_run_is_gone_on_with_when_there_is_room(kind, workers, small, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    words = (small, "--to", f"{kind}:{out}?roll_time=10d", "--workers", workers, "--no-progress")
    done = cramped(LIMIT[kind], *words)
    lines = [line for line in done.stderr.splitlines() if line.startswith("datagen: ")]
    assert (done.returncode, len(lines)) == (3, 1), done.stderr
    assert os.strerror(errno.EFBIG) in lines[0]
    assert "Traceback" not in done.stderr
    assert not list(out.rglob("*.tmp"))
    for path in out.glob("manifest*.json"):
        document = json.loads(path.read_text())
        assert not document["complete"]
        for file in (file for stream in document["streams"].values() for file in stream["files"]):
            assert hashlib.sha256((out / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert invoke("run", *words, "--resume", "-q").exit_code == 0
    assert invoke("run", small, "--to", f"{kind}:{whole}", "-q").exit_code == 0
    assert sorted(order_ids(out)) == sorted(order_ids(whole))


def test_what_fits_before_the_disk_is_full_stays(small, tmp_path):
    done = cramped(
        LIMIT["csv"], small, "--to", f"csv:{tmp_path / 'out'}?roll_time=1d", "--set", "streams.order.rate=2/day", "-q"
    )
    assert done.returncode == 3
    kept = order_ids(tmp_path / "out")
    assert 0 < len(kept) == len(set(kept))


def test_a_standard_output_that_is_full_is_told(small):
    with open("/dev/full", "w") as full:
        done = cramped(LIMIT["csv"], small, stdout=full)
    assert (done.returncode, os.strerror(errno.ENOSPC) in done.stderr) == (3, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_manifest_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink = open_sink(f"csv:{tmp_path}?roll_time=1s")
    deliver(list(fake_batches(4))[:4], sink, STREAMS, RUN)
    before = (tmp_path / "manifest.json").read_text()
    monkeypatch.setattr("sinks.manifest.os.fsync", full)
    with pytest.raises(SinkError, match=os.strerror(errno.ENOSPC)):
        deliver(fake_batches(4), open_sink(f"csv:{tmp_path}?roll_time=1s"), STREAMS, RUN, resume=True)
    assert (tmp_path / "manifest.json").read_text() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_file_that_cannot_be_finished_is_not_left_behind(small, tmp_path, monkeypatch):
    def seal(*_):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr("sinks.rolling._OpenFile.seal", seal)
    assert invoke("run", small, "--to", f"parquet:{tmp_path / 'out'}", "-q").exit_code == 3
    assert list((tmp_path / "out").rglob("*.parquet*")) == []
