"""What the benchmarks share: fresh processes watched from outside, interleaved repeats, medians, tables and JSON.

Each benchmark is one command, `python benchmarks/NAME.py [--quick] [--json]`. What is compared is measured in the same
run, in turns, so that a slow minute of the machine slows all of it; every figure is the median of `REPEATS`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

REPEATS = 5
ROOT = Path(__file__).resolve().parent.parent
DATAGEN = (sys.executable, "-c", "from sim.cli.main import main; main()")
"""The command `datagen`, run by this interpreter."""

_POLL = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""What a container may set and few users do: without compiled files every start compiles all modules anew."""

# As the command `datagen` does, for what is measured in this process: before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_LIBRARIES = ("numpy", "pyarrow", "polars", "simpy")


def arguments(description: str, **extra: str) -> argparse.Namespace:
    """The command line of a benchmark: `--quick`, `--json`, and further options by name with their help texts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes: ends within 45 s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    for name, text in extra.items():
        parser.add_argument(f"--{name}", help=text)
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended well. Memory is the most that it and its children held at any moment, in MB (10^6)."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    output: str
    errors: str


def finish(command: Sequence[str], *, output: int | IO[bytes] = subprocess.PIPE, cwd: Path = ROOT) -> Finished:
    """Run a command in a process of its own and wait for it. RuntimeError with its last words where it fails."""
    setting = {name: value for name, value in os.environ.items() if name not in _UNUSUAL}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, cwd=cwd, env=setting)
    watch = Watch(process.pid)
    out, err = process.communicate()
    wall = time.perf_counter() - began
    peak = watch.end()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}: {err.decode()[-2000:]}")
    return Finished(wall, watch.cpu_s, peak, (out or b"").decode(), err.decode())


class Watch:
    """Samples a process and all below it, 20 times a second, until `end`; reads /proc, so elsewhere it sees nothing.

    Pages that processes share are counted for each of them: the sum is never too small because of that.
    """

    def __init__(self, pid: int) -> None:
        self.cpu_s = 0.0
        self._pid = pid
        self._peak = 0
        self._ticks: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Stop watching; the peak in MB. `cpu_s` is what the processes had used when last seen."""
        self._over.set()
        self._thread.join()
        self.cpu_s = sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")
        return self._peak / 1e6

    def _watch(self) -> None:
        while not self._over.wait(_POLL):
            processes = tree(self._pid)
            self._peak = max(self._peak, sum(map(resident, processes)))
            self._ticks |= {pid: used for pid in processes if (used := _cpu_ticks(pid))}


def tree(pid: int) -> list[int]:
    """A process and all its descendants that are alive."""
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(_children(found[-1]))
    return found


def resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 where it is gone."""
    fields = _proc(pid, "statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        names = [task.name for task in tasks.iterdir()]
    except OSError:
        return []
    return [int(child) for name in names for child in _proc(pid, f"task/{name}/children").split()]


def _cpu_ticks(pid: int) -> int:
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def interleaved(tasks: Mapping[str, Callable[[], T]], repeats: int = REPEATS) -> dict[str, list[T]]:
    """Run all tasks in turns, so many times; the results of each by name."""
    results: dict[str, list[T]] = {name: [] for name in tasks}
    for turn in range(repeats):
        for name, task in tasks.items():
            if sys.stderr.isatty():
                print(f"\r{turn + 1}/{repeats} {name:<40}", end="", file=sys.stderr, flush=True)
            results[name].append(task())
    if sys.stderr.isatty():
        print(f"\r{'':<48}\r", end="", file=sys.stderr, flush=True)
    return results


def median(values: Iterable[float]) -> float:
    """The median; all that a benchmark reports."""
    return statistics.median(values)


def timed(task: Callable[[], object]) -> float:
    """Seconds that a task takes."""
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def environment() -> str:
    """The machine and the versions, in one line: figures mean nothing without them."""
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {_processor()}, {platform.system()}, Python {platform.python_version()}, {versions}"


def _processor() -> str:
    with Path("/proc/cpuinfo").open() if Path("/proc/cpuinfo").exists() else Path(os.devnull).open() as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as aligned text, the first column to the left, the others to the right; floats with three digits."""
    cells = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(_aligned, row, widths, range(len(row)))).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _aligned(cell: str, width: int, place: int) -> str:
    return cell.rjust(width) if place else cell.ljust(width)


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def targets(wanted: Mapping[str, tuple[float, str, float]]) -> str:
    """What had to be reached, as a table: name -> (measured, `>=` or `<=`, wanted)."""
    rows = [
        (name, measured, f"{sign} {_text(limit)}", "yes" if _reached(measured, sign, limit) else "NO")
        for name, (measured, sign, limit) in wanted.items()
    ]
    return table(("target", "measured", "wanted", "reached"), rows)


def _reached(measured: float, sign: str, limit: float) -> bool:
    return measured >= limit if sign == ">=" else measured <= limit


def publish(result: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print a benchmark's result: as one JSON object on one line, or as text for people."""
    print(json.dumps(result) if as_json else f"{result['environment']}\n\n{text}")
