"""How punctual facts leave: lateness against the schedule at a constant rate, into null:, stdout and a real broker.

    python benchmarks/pacing.py [--quick] [--json] [--rate 10k/s]

Lateness is the time from when a fact was due to when it had been handed to the target. The broker is started here, as
the tests start theirs, unless DATAGEN_TEST_BROKER names one; `--quick` leaves it out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import DATAGEN, arguments, environment, finish, interleaved, median, publish, table, targets
from benchmarks.workload import save
from sim.maths.units import SECOND, parse_rate
from tests.kafka.broker import address

SECONDS = 10
QUICK_SECONDS = 2
CUSTOMERS = 20_000
QUANTILES = ("p50_s", "p99_s", "p999_s", "max_s")


def launch(scenario: Path, to: str, rate: str, seconds: float) -> dict[str, float]:
    """One paced run into a target, and how late its facts were: seconds by quantile."""
    facts = round(parse_rate(rate) * SECOND * seconds)
    words = ("run", str(scenario), "--to", to, "--rate", rate, "--limit", str(facts), "--json", "--no-progress")
    with Path(os.devnull).open("wb") as nowhere:
        finished = finish((*DATAGEN, *words), output=nowhere if to == "stdout:" else subprocess.PIPE)
    said = json.loads((finished.errors if to == "stdout:" else finished.output).splitlines()[-1])
    return {name: said["pacing"][name] for name in QUANTILES} | {"cpu_s": finished.cpu_s / seconds}


def measure(rate: str, seconds: float, broker: str | None, folder: Path) -> dict[str, Any]:
    """Every target in turns; medians, in seconds."""
    path = save(folder, CUSTOMERS)
    to = ["null:", "stdout:", *([f"kafka://{broker}?prefix=pacing."] if broker else [])]
    results = interleaved({url.partition(":")[0]: partial(launch, path, url, rate, seconds) for url in to})
    return {
        "rate": rate,
        "late": {
            name: {key: median(run[key] for run in runs) for key in (*QUANTILES, "cpu_s")}
            for name, runs in results.items()
        },
    }


def describe(result: dict[str, Any]) -> str:
    """The result as tables."""
    rows = [(name, *(1000 * late[key] for key in QUANTILES), late["cpu_s"]) for name, late in result["late"].items()]
    wanted = {
        f"{name}, {key.removesuffix('_s')} ms": (1000 * late[key], "<=", limit)
        for name, late in result["late"].items()
        for key, limit in (("p50_s", 1.0), ("p99_s", 5.0))
    }
    heading = f"at {result['rate']}: late by ms"
    return f"{table((heading, 'p50', 'p99', 'p99.9', 'most', 'cores'), rows)}\n\n{targets(wanted)}"


def main() -> None:
    options = arguments("how punctual facts leave", rate="facts a second; 10k/s if not given")
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with (
        nullcontext() if options.quick else address() as broker,
        tempfile.TemporaryDirectory(prefix="datagen-benchmark-") as folder,
    ):
        result = measure(options.rate or "10k/s", seconds, broker, Path(folder))
    result = {"environment": environment(), **result}
    publish(result, describe(result), options.json)


if __name__ == "__main__":
    main()
