"""How fast the engine is: facts a second to null: and to Parquet, beside SimPy and beside the limit of the hardware.

    python benchmarks/engine.py [--quick] [--json]

One million customers over three years, as `workload.py` has them, run as a user runs them: `datagen run` in a fresh
process, with 1 and 2 workers, timed from its start to its exit; beside it the run alone, from the compiled model on. In
turns with it run the same model as SimPy processes (`simpy_baseline.py`), pyarrow alone writing the finished tables
(`limit.py`), and the model with a tenth and ten times the customers at equal facts (`scale.py`).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import limit, scale, simpy_baseline
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
from benchmarks.workload import CUSTOMERS, save

RUNS = {
    f"{to}, {workers} worker{'s'[: workers - 1]}": (to, workers) for to in ("null", "parquet") for workers in (1, 2)
}
HEADLINE = "parquet, 2 workers"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `paces` are the scales: pace 10 is a tenth of the customers, ten times as active."""

    customers: int
    simpy_customers: int
    simpy_days: float
    scale_customers: int
    scale_apart: bool
    paces: tuple[float, ...] = (10.0, 1.0, 0.1)


FULL = Sizes(CUSTOMERS, 100_000, 15.0, CUSTOMERS, scale_apart=True)
QUICK = Sizes(100_000, 10_000, 10.0, 50_000, scale_apart=False)


@dataclass(frozen=True, slots=True)
class Launch:
    """One `datagen run` and the facts that it says it wrote."""

    finished: Finished
    facts: int
    run_s: float
    """From the compiled model to the last file closed, as the command says itself; starting the workers is in it."""

    @property
    def facts_per_s(self) -> float:
        """Over the whole life of the process: imports, compilation and workers' start included."""
        return self.facts / self.finished.wall_s


def launch(scenario: Path, to: str, workers: int, folder: Path, *more: str) -> Launch:
    """Run a scenario into `null:` or `parquet:`, with `more` words on the command line, and delete what it wrote."""
    url = f"parquet:{folder}" if to == "parquet" else f"{to}:"
    words = ("run", str(scenario), "--to", url, "--workers", str(workers), "--json", "--no-progress", *more)
    finished = finish((*DATAGEN, *words))
    shutil.rmtree(folder, ignore_errors=True)
    said = json.loads(finished.output)
    return Launch(finished, said["facts"], said["elapsed_s"])


def measure(sizes: Sizes, folder: Path) -> dict[str, Any]:
    """Everything, interleaved; plain data, all figures medians."""
    path = save(folder, sizes.customers)
    finished = limit.tables(path)
    tasks: dict[str, Callable[[], Any]] = {
        name: partial(launch, path, to, workers, folder / "out") for name, (to, workers) in RUNS.items()
    }
    tasks |= {f"limit {n}": partial(limit.rows_per_s, finished, folder / "limit", n) for n in (1, 2)}
    tasks["simpy"] = partial(simpy_baseline.facts_per_s, sizes.simpy_customers, sizes.simpy_days)
    tasks |= {f"scale {pace:g}": _scaling(sizes, pace, folder) for pace in sizes.paces}
    results = interleaved(tasks)
    runs = {name: figures(results[name]) for name in RUNS}
    limits = {n: median(results[f"limit {n}"]) for n in (1, 2)}
    scales = [_scaled(sizes, pace, results[f"scale {pace:g}"]) for pace in sizes.paces]
    return _summary(runs, limits, median(results["simpy"]), scales) | {
        "customers": sizes.customers,
        "facts": sum(map(len, finished.values())),
        "simpy_customers": sizes.simpy_customers,
    }


def _scaling(sizes: Sizes, pace: float, folder: Path) -> Callable[[], scale.Split]:
    path = save(folder, round(sizes.scale_customers / pace), pace)
    return partial(scale.measure_apart if sizes.scale_apart else scale.measure, path)


def figures(launches: Sequence[Launch]) -> dict[str, float]:
    """The medians of repeated runs."""
    return {
        "facts_per_s": median(one.facts_per_s for one in launches),
        "run_facts_per_s": median(one.facts / one.run_s for one in launches),
        "wall_s": median(one.finished.wall_s for one in launches),
        "cpu_s": median(one.finished.cpu_s for one in launches),
        "peak_rss_mb": max(one.finished.peak_rss_mb for one in launches),
    }


def _scaled(sizes: Sizes, pace: float, splits: Sequence[scale.Split]) -> dict[str, Any]:
    return {
        "customers": round(sizes.scale_customers / pace),
        "facts": splits[0].facts,
        "setup_s": median(split.setup_s for split in splits),
        "ns_per_fact": median(split.ns_per_fact for split in splits),
        "ns_per_fact_with_setup": median(split.ns_with_setup for split in splits),
        "peak_rss_mb": max(split.peak_rss_mb for split in splits),
    }


def _summary(
    runs: dict[str, dict[str, float]], limits: dict[int, float], simpy: float, scales: list[dict[str, Any]]
) -> dict[str, Any]:
    costs = [one["ns_per_fact"] for one in scales]
    fastest = runs[HEADLINE]["facts_per_s"]
    # pyarrow's figures leave out what it takes to start Python, so the runs' own clock is beside them too.
    return {
        "facts_per_s": fastest,
        "limit_ratio": runs[HEADLINE]["run_facts_per_s"] / limits[2],
        "limit_ratio_1": runs["parquet, 1 worker"]["run_facts_per_s"] / limits[1],
        "limit_ratio_with_start": fastest / limits[2],
        "simpy_ratio": fastest / simpy,
        "peak_rss_mb": max(run["peak_rss_mb"] for run in runs.values()),
        "scale_spread": 1 - min(costs) / max(costs),
        "simpy_facts_per_s": simpy,
        "limit_rows_per_s": {str(threads): rate for threads, rate in limits.items()},
        "runs": runs,
        "scale": scales,
    }


def describe(result: dict[str, Any]) -> str:
    """The result as tables."""
    runs = [(name, *run.values()) for name, run in result["runs"].items()]
    runs += [(f"pyarrow alone, {n} thread(s)", "", rate) + ("",) * 3 for n, rate in result["limit_rows_per_s"].items()]
    runs.append((f"SimPy, {result['simpy_customers']:,} customers", "", result["simpy_facts_per_s"], "", "", ""))
    names = ("customers", "set-up s", "ns/fact", "ns/fact, all", "peak MB", "facts")
    wanted = {
        "facts/s to Parquet, 2 workers": (result["facts_per_s"], ">=", 4e6),
        "of the limit, 2 workers": (result["limit_ratio"], ">=", 0.25),
        "times SimPy": (result["simpy_ratio"], ">=", 100.0),
        "peak MB": (result["peak_rss_mb"], "<=", 1500.0),
        "cost of a fact, cheapest below dearest": (result["scale_spread"], "<=", 0.25),
    }
    scaled = [
        (one["customers"], one["setup_s"], one["ns_per_fact"], one["ns_per_fact_with_setup"], one["peak_rss_mb"],
         sum(one["facts"].values()) - one["customers"])
        for one in result["scale"]
    ]  # fmt: skip
    return "\n\n".join(
        [
            f"{result['customers']:,} customers, {result['facts']:,} facts",
            table(("run", "facts/s", "run alone", "wall s", "cpu s", "peak MB"), runs),
            table(names, scaled),
            targets(wanted),
        ]
    )


def main() -> None:
    options = arguments("the engine: facts a second, memory, and how they compare")
    with tempfile.TemporaryDirectory(prefix="datagen-benchmark-") as folder:
        result = {"benchmark": "engine", "quick": options.quick, "environment": environment()}
        result |= measure(QUICK if options.quick else FULL, Path(folder))
    publish(result, describe(result), options.json)


if __name__ == "__main__":
    main()
