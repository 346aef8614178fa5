"""False alarms: p-values of every statistical check over many seeds of small worlds, which must be uniform.

    python benchmarks/false_alarms.py [--quick] [--json] [--seeds 200] [--world cases]

The worlds (`benchmarks/sound.py`) have all that is checked statistically. For each check and subject its p-values over
the seeds are held against the uniform distribution by Kolmogorov and Smirnov's test; of the data sets, as many as alpha
says may have an alarm at all. Exit code 1 where either is not so.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy import stats

from benchmarks.common import arguments, environment, publish, table
from benchmarks.sound import WORLDS
from sim.delivery.pipeline import deliver
from sim.engine.simulate import simulate
from sim.model.compile import compile_scenario
from sim.quality.check import findings
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.finding import Section
from sim.quality.score import grade, holm
from sim.scenario.loader import load
from sinks.registry import open_sink
from sinks.run import Run

ALPHA = 0.05
"""The share of sound data sets that may have an alarm."""

LEAST = 1e-3
"""The corrected p-value below which p-values are not uniform."""

FEWEST = 5
"""Seeds that must have a p-value for it to be tested."""

QUICK = 8
"""Seeds of each world that are done in half a minute."""


@dataclass(slots=True)
class Found:
    """What the seeds of one world have given: p-values by check and subject, and how many data sets had an alarm."""

    p_values: dict[str, list[float]]
    alarms: int = 0


def watched(world: Mapping[str, Any], seeds: Iterable[int], sections: tuple[Section, ...]) -> Found:
    """All p-values of sound data of a world, a seed after the other."""
    scenario = load(world)
    model = compile_scenario(scenario)
    found = Found({})
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(model.name, model.digest, seed, model.start, model.end)
            deliver(simulate(model, seed), open_sink(f"parquet:{folder}/out"), model.streams, run)
            with open_dataset(f"{folder}/out", threads=1) as data:
                verdict = grade(findings(Scope(data, Declared(scenario, model, True)), sections), ALPHA)
        found.alarms += not verdict.sound
        for finding in verdict.findings:
            if finding.p_value is not None:
                found.p_values.setdefault(f"{finding.name} {finding.subject}", []).append(finding.p_value)
    return found


def measure(
    seeds: int, sections: tuple[Section, ...] = ("values", "behaviour"), worlds: Sequence[str] = tuple(WORLDS)
) -> dict[str, Any]:
    """How uniform the p-values of each check are (corrected for the number of checks), and the share of alarms."""
    found = {name: watched(WORLDS[name], range(1, seeds + 1), sections) for name in worlds}
    checks = {check: _check(values) for own in found.values() for check, values in own.p_values.items()}
    uniform = np.array([check["uniform"] for check in checks.values() if check["uniform"] is not None])
    alarms, sets = sum(own.alarms for own in found.values()), seeds * len(found)
    likely = float(stats.binomtest(alarms, sets, ALPHA, alternative="greater").pvalue)
    return {
        "seeds": seeds,
        "worlds": {name: _world(own) for name, own in found.items()},
        "data_sets": sets,
        "alarms": alarms,
        "alarms_p_value": likely,
        "checks": checks,
        "uniform": float(holm(uniform).min(initial=1.0)) > LEAST and likely > LEAST,
        "environment": environment(),
    }


def _check(values: Sequence[float]) -> dict[str, Any]:
    """How uniform p-values are: None where too few seeds have any; and the share of them below alpha."""
    uniform = float(stats.kstest(values, "uniform").pvalue) if len(values) >= FEWEST else None
    return {"seeds": len(values), "uniform": uniform, "below_alpha": float(np.mean(np.array(values) < ALPHA))}


def _world(found: Found) -> dict[str, Any]:
    tested = [p for values in found.p_values.values() if (p := _check(values)["uniform"]) is not None]
    return {"alarms": found.alarms, "checks": len(found.p_values), "least_uniform": min(tested, default=None)}


def describe(result: dict[str, Any]) -> str:
    """The worlds, then one line for each check, the least uniform first."""
    head = f"{result['alarms']} of {result['data_sets']} sound data sets have an alarm at alpha {ALPHA:g}"
    rows = [
        [name, str(own["checks"]), _figure(own["least_uniform"]), f"{own['alarms']} of {result['seeds']}"]
        for name, own in result["worlds"].items()
    ]
    ordered = sorted(result["checks"].items(), key=lambda item: _or_one(item[1]["uniform"]))
    lines = [[name, str(own["seeds"]), f"{own['below_alpha']:.3f}", _figure(own["uniform"])] for name, own in ordered]
    return (
        f"{head} (p = {result['alarms_p_value']:.3f})\n\n"
        + table(["world", "findings", "least p of uniformity", "data sets with an alarm"], rows)
        + "\n\n"
        + table(["check", "seeds", f"p < {ALPHA:g}", "uniform, KS"], lines)
    )


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", seeds="how many seeds: 200 unless told", world="only this world")
    worlds = tuple(WORLDS) if options.world is None else (options.world,)
    result = measure(int(options.seeds or (QUICK if options.quick else 200)), worlds=worlds)
    publish(result, describe(result), options.json)
    raise SystemExit(0 if result["uniform"] else 1)


if __name__ == "__main__":
    main()
