"""How fast JSON lines come out: `datagen run … --to stdout: > /dev/null`, end to end, with 1 and 2 workers.

python benchmarks/stdout.py [--quick] [--json]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import (
    DATAGEN,
    Finished,
    arguments,
    environment,
    finish,
    interleaved,
    median,
    publish,
    table,
    targets,
)
from benchmarks.workload import save

CUSTOMERS = 250_000
QUICK_CUSTOMERS = 50_000


def launch(scenario: Path, workers: int) -> tuple[Finished, int]:
    """Print a scenario's facts to nowhere; what the command says of itself is on stderr."""
    words = ("run", str(scenario), "--to", "stdout:", "--workers", str(workers), "--json", "--no-progress")
    with Path(os.devnull).open("wb") as nowhere:
        finished = finish((*DATAGEN, *words), output=nowhere)
    return finished, int(json.loads(finished.errors.splitlines()[-1])["facts"])


def measure(customers: int, folder: Path) -> dict[str, Any]:
    """Both numbers of workers in turns; medians."""
    path = save(folder, customers)
    results = interleaved({f"{workers}": partial(launch, path, workers) for workers in (1, 2)})
    runs = {
        workers: {
            "facts_per_s": median(facts / done.wall_s for done, facts in launches),
            "wall_s": median(done.wall_s for done, _ in launches),
            "cpu_s": median(done.cpu_s for done, _ in launches),
            "peak_rss_mb": max(done.peak_rss_mb for done, _ in launches),
        }
        for workers, launches in results.items()
    }
    return {
        "facts_per_s": max(run["facts_per_s"] for run in runs.values()),
        "peak_rss_mb": max(run["peak_rss_mb"] for run in runs.values()),
        "facts": results["1"][0][1],
        "customers": customers,
        "workers": runs,
    }


def describe(result: dict[str, Any]) -> str:
    """The result as tables."""
    rows = [(workers, *run.values()) for workers, run in result["workers"].items()]
    wanted = {"facts/s as JSON lines": (result["facts_per_s"], ">=", 1e6)}
    return "\n\n".join([table(("workers", "facts/s", "wall s", "cpu s", "peak MB"), rows), targets(wanted)])


def main() -> None:
    options = arguments("JSON lines to stdout: facts a second")
    with tempfile.TemporaryDirectory(prefix="datagen-benchmark-") as folder:
        result = {"benchmark": "stdout", "quick": options.quick, "environment": environment()}
        result |= measure(QUICK_CUSTOMERS if options.quick else CUSTOMERS, Path(folder))
    publish(result, describe(result), options.json)


if __name__ == "__main__":
    main()
