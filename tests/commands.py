"""The `datagen` command in tests: in this process, or as one of its own that no test leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from typer.testing import CliRunner

from sim.cli.main import app

SMALL = """
name: small
seed: 42
start: 2023-01-01
end: 2023-02-01
tick: 1d
entities:
  customer:
    initial: {count: 500}
    arrivals: {rate: 10/day}
    attributes:
      country: {type: choice, values: {FR: 6, DE: 3, ES: 1}}
streams:
  order:
    entity: customer
    rate: 20/month
    attributes:
      quantity: {type: poisson, mean: 1.4, min: 1}
"""
FAULTS = """
faults:
  order:
    bound: 2d
    late: {probability: 20%, delay: {type: lognormal, median: 6h, sigma: 1}}
    duplicates: {probability: 5%, after: {type: exponential, mean: 5h}}
    drops: 5%
    stalls: {every: 1d, lasts: 3h}
    hot_keys: {share: 10%, keys: 3}
"""
"""For the orders of `SMALL` and of scenarios like it."""

ROOT = Path(__file__).parent.parent

_started: list[subprocess.Popen[str]] = []


def invoke(*words):
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def start(*words, before=""):
    """A `datagen` of its own, in a process group of its own, as a shell would start it; `before` it runs that code."""
    code = f"{before}\nfrom sim.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _started.append(process)
    return process


def end_all() -> None:
    """Kill what a failed test has started and left running: it would fill the disk."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def children(pid: int) -> list[int]:
    """The workers of a run: spawned by it, or forked off the server that it has started for that."""
    with suppress(psutil.NoSuchProcess):
        return sorted(worker.pid for child in psutil.Process(pid).children() for worker in _workers(child))
    return []


def _workers(child: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        words = " ".join(child.cmdline())
        return child.children() if "forkserver" in words else [child] if "spawn_main" in words else []
    return []


def wait_for(condition, seconds=60.0):
    """What the condition gives as soon as that is true; an error that says so where it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited for {seconds} s in vain, last seen: {found!r}")
        time.sleep(0.05)
    return found
