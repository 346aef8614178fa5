"""Coverage: how often what a run gives lies in the intervals that `datagen plan` says, for every bundled scenario.

    python benchmarks/forecasts.py [--quick] [--json] [--only iot,bank] [--forecasts 20] [--runs 40] [--pilots full]

Each scenario runs for its first weeks or months (`ENDS`). So many forecasts, each with a seed of its own, are held
against so many runs: all pairs, because what is wrong may lie in the forecasts, in the runs, or in neither. Told is the
share of pairs inside, for the facts of streams by month and over the whole run, for all facts, and for the entities
alive and in each state at the ends of months. Where nothing is uncertain (a declared number) nothing is counted. Exit
code 1 where a share, of all streams or of all states of a scenario, is below `LEAST`.

Pilots are those of `plan --quick`, unless told. Pairs depend on each other: with 20 forecasts and 40 runs the share of
a single number is uncertain by some five points, those of a scenario by two.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import arguments, environment, publish, table
from sim.cli.jobs.job import Job
from sim.engine.forecast import Estimate, Forecast, forecast
from sim.engine.forecast.census import ALIVE, EVERY, Census
from sim.engine.forecast.forecaster import month_ends
from sim.engine.kernel import run
from sim.engine.world import World
from sim.model.model import Model

Floats = NDArray[np.float64]

ENDS = {
    "bank": "2023-04-01",
    "clickstream": "2025-03-22",
    "factory": "2024-04-01",
    "game": "2025-03-15",
    "hospital": "2023-06-01",
    "insurance": "2020-01-01",
    "iot": "2025-03-15",
    "logistics": "2024-11-01",
    "payments": "2024-04-01",
    "public_services": "2023-04-01",
    "storefront": "2023-04-01",
    "subscriptions": "2022-07-01",
    "telecom": "2025-03-01",
}
LEAST = 0.88
KINDS = ("months", "streams", "all", "alive", "states")
FIRST_RUN, FIRST_FORECAST = 10_000_000, 1

Counts = dict[tuple[str, str], Floats]
"""What was counted or forecast, by kind and name: one value a month, or one."""


def happened(model: Model, seed: int) -> Counts:
    """A run of the world in one block, counted."""
    ends = month_ends(model)
    world = World(replace(model, blocks=1), seed, frozenset([0]))
    census, last = Census(world, ends), -1
    for batch in run(world, world.model.processes):
        if batch.start != last:
            census.survey(batch.start, min(batch.start + model.tick, model.end))
            last = batch.start
        census.count(batch)
    census.close({})
    found: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(len(ends) + 1))
    for (what, _, _), sums in census.sums.items():
        found[what] += sums[:, 0]
    counts: Counts = {}
    for stream in model.streams:
        counts["months", stream.name] = found[stream.name, ""][:-1]
        counts["streams", stream.name] = found[stream.name, ""][-1:]
    counts["all", ""] = found[EVERY, ""][-1:]
    for population in model.populations:
        counts["alive", population.name] = found[population.name, ALIVE][:-1]
        for state in population.machine.states if population.machine is not None else ():
            counts["states", f"{population.name} {state}"] = found[population.name, state][:-1]
    return counts


def expected(made: Forecast) -> dict[tuple[str, str], Floats]:
    """Means and bounds of a forecast by the same names, float64[3, months]."""
    found = {("all", ""): _bounds([made.total])}
    for stream in made.streams:
        found["months", stream.name] = _bounds(stream.months)
        found["streams", stream.name] = _bounds([Estimate(stream.facts, stream.low, stream.high)])
    for population in made.populations:
        found["alive", population.name] = _bounds(population.alive)
        for state, estimates in population.states.items():
            found["states", f"{population.name} {state}"] = _bounds(estimates)
    return found


def coverage(name: str, forecasts: int, runs: int, quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """By kind and name: share of pairs inside, below and above, and the width of the interval over its middle."""
    model = Job(name, {"end": ENDS[name]}).model()
    real = [happened(model, FIRST_RUN + number) for number in range(runs)]
    made = [expected(forecast(model, FIRST_FORECAST + number, quick)) for number in range(forecasts)]
    found: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in KINDS}
    for key in real[0]:
        counts = np.stack([own[key] for own in real])[None]
        mean, low, high = np.stack([own[key] for own in made]).transpose(1, 0, 2)[:, :, None]
        uncertain = (high > low).any(axis=(0, 1)) | (np.ptp(counts, axis=(0, 1)) > 0)
        if not uncertain.any():
            continue
        below, above = ((counts < low)[..., uncertain], (counts > high)[..., uncertain])
        found[key[0]][key[1]] = {
            "inside": float(1 - below.mean() - above.mean()),
            "below": float(below.mean()),
            "above": float(above.mean()),
            "width": float(np.median((high - low) / np.maximum(mean, 1))),
        }
    return found


def measure(names: list[str], forecasts: int, runs: int, quick: bool) -> dict[str, Any]:
    """The coverage of every scenario, with its means by kind and the median width of the intervals of months."""
    found: dict[str, Any] = {}
    for name in names:
        detail = coverage(name, forecasts, runs, quick)
        means = {
            kind: float(np.mean([own["inside"] for own in detail[kind].values()])) for kind in KINDS if detail[kind]
        }
        width = float(np.median([own["width"] for own in detail["months"].values()]))
        found[name] = {"inside": means, "width": width, "detail": detail}
        print(name, *(f"{kind} {share:.3f}" for kind, share in means.items()), file=sys.stderr, flush=True)
    return {"forecasts": forecasts, "runs": runs, "scenarios": found, "environment": environment()}


def _bounds(estimates: Any) -> Floats:
    return np.array([(own.mean, own.low, own.high) for own in estimates]).T


def describe(result: dict[str, Any]) -> str:
    """One line for each scenario."""
    rows = [
        (
            name,
            *(f"{own['inside'][kind]:.1%}" if kind in own["inside"] else "" for kind in KINDS),
            f"{own['width']:.0%}",
        )
        for name, own in result["scenarios"].items()
    ]
    return table(("scenario", *KINDS, "width of months"), rows)


def main() -> None:
    """Measure and print."""
    options = arguments(
        __doc__ or "",
        only="scenarios, with commas: all unless told",
        forecasts="how many: 20 unless told",
        runs="how many: 40 unless told",
        pilots="full or quick: quick unless told",
    )
    names = options.only.split(",") if options.only else list(ENDS)[:3] if options.quick else list(ENDS)
    forecasts, runs = (int(own or usual) for own, usual in ((options.forecasts, 20), (options.runs, 40)))
    result = measure(names, forecasts, runs, options.pilots != "full")
    publish(result, describe(result), options.json)
    shares = [share for own in result["scenarios"].values() for share in own["inside"].values()]
    raise SystemExit(0 if min(shares) >= LEAST else 1)


if __name__ == "__main__":
    main()
