"""False alarms: p-values of every statistical check over many seeds of a small world, which must be uniform.

    python benchmarks/false_alarms.py [--quick] [--json] [--seeds 200]

The world has all that is checked statistically. For each check and subject its p-values over the seeds are held against
the uniform distribution by Kolmogorov and Smirnov's test; of the data sets, as many as alpha says may have an alarm at
all. Exit code 1 where either is not so.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.common import arguments, environment, publish, table
from sim.delivery.pipeline import deliver
from sim.engine.simulate import simulate
from sim.model.compile import compile_scenario
from sim.quality.check import findings
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.finding import Finding, Section
from sim.quality.score import grade, holm
from sim.scenario.loader import load
from sinks.contract import Run
from sinks.registry import open_sink

ALPHA = 0.05
"""The share of sound data sets that may have an alarm."""

LEAST = 1e-3
"""The corrected p-value below which p-values are not uniform."""

WORLD: dict[str, Any] = {
    "name": "world",
    "start": "2024-01-01",
    "end": "2024-07-01",
    "blocks": 4,
    "entities": {
        "user": {
            "initial": {"count": 300},
            "arrivals": {"rate": "2/day"},
            "attributes": {
                "country": {"type": "choice", "values": {"FR": 60, "DE": 30, "ES": 9, "IT": 1}},
                "phone": {"type": "uuid", "modifiers": [{"type": "null", "probability": 0.3}]},
            },
            "segments": {"tier": {"vip": {"weight": 0.2, "activity": 4.0}, "basic": {"weight": 0.8}}},
            "vintage": {"activity": {"type": "points", "values": [1.5, 1.0, 0.7], "per": "60d"}},
            "lifecycle": {
                "initial": "active",
                "states": {
                    "active": {"transitions": [{"to": "paused", "hazard": "10%/month"}]},
                    "paused": {"activity": 0.3, "transitions": [{"to": "active", "hazard": "50%/month"}]},
                },
            },
        }
    },
    "streams": {
        "act": {
            "entity": "user",
            "rate": "2/month",
            "attributes": {
                "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "modifiers": [{"type": "round"}]},
                "weight": {"type": "gamma", "mean": 8, "shape": 3, "modifiers": [{"type": "clamp", "max": 15}]},
                "quantity": {"type": "poisson", "mean": 2, "min": 1},
                "score": {"type": "integer", "low": 1, "high": 6},
                "size": {"type": "beta", "a": 2, "b": 5},
                "channel": {"type": "choice", "values": ["web", "shop", "phone"]},
            },
        }
    },
}


def p_values(seeds: Iterable[int], sections: tuple[Section, ...]) -> tuple[dict[str, list[float]], int]:
    """P-values by check and subject, a seed after the other, and how many data sets have an alarm."""
    scenario = load(WORLD)
    model = compile_scenario(scenario)
    found: dict[str, list[float]] = {}
    alarms = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(model.name, model.digest, seed, model.start, model.end)
            deliver(simulate(model, seed), open_sink(f"parquet:{folder}/out"), model.streams, run)
            with open_dataset(f"{folder}/out", threads=1) as data:
                verdict = grade(findings(Scope(data, Declared(scenario, model, True)), sections), ALPHA)
        alarms += not verdict.sound
        for finding in verdict.findings:
            _note(found, finding)
    return found, alarms


def measure(seeds: int, sections: tuple[Section, ...] = ("values", "behaviour")) -> dict[str, Any]:
    """How uniform the p-values of each check are (corrected for the number of checks), and the share of alarms."""
    from scipy import stats

    found, alarms = p_values(range(1, seeds + 1), sections)
    uniform = {name: float(stats.kstest(values, "uniform").pvalue) for name, values in found.items()}
    corrected = dict(zip(uniform, holm(np.array(list(uniform.values()))).tolist(), strict=True))
    likely = float(stats.binomtest(alarms, seeds, ALPHA, alternative="greater").pvalue)
    return {
        "seeds": seeds,
        "alarms": alarms,
        "alarms_p_value": likely,
        "uniform_p_values": uniform,
        "uniform": min(corrected.values()) > LEAST and likely > LEAST,
        "environment": environment(),
    }


def describe(result: dict[str, Any]) -> str:
    """One line for each check, the least uniform first."""
    rows = [(name, f"{value:.4f}") for name, value in sorted(result["uniform_p_values"].items(), key=lambda i: i[1])]
    head = f"{result['alarms']} of {result['seeds']} sound data sets have an alarm at alpha {ALPHA:g}"
    return f"{head} (p = {result['alarms_p_value']:.3f})\n\n" + table(["check", "p-values uniform, KS"], rows)


def _note(found: dict[str, list[float]], finding: Finding) -> None:
    if finding.p_value is not None:
        found.setdefault(f"{finding.name} {finding.subject}", []).append(finding.p_value)


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", seeds="how many seeds: 200 unless told")
    result = measure(int(options.seeds or (40 if options.quick else 200)))
    publish(result, describe(result), options.json)
    raise SystemExit(0 if result["uniform"] else 1)


if __name__ == "__main__":
    main()
