"""Cases a second through a resource: the servers alone, and whole runs with starts, steps, visits and load as facts.

One process on one core. A run's case is one that came to the resource; it gives two steps and a visit.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.common import arguments, environment, interleaved, median, publish, table, timed
from sim.engine.resources import NEVER, Queue, Servers
from sim.engine.simulate import simulate
from sim.model.compile import compile_scenario
from sim.model.queueing import Resource
from sim.scenario.loader import load

DAYS = 60
USERS = 10_000
LOAD = 0.8
SERVERS = 12
SECOND = 1_000_000
IMPATIENT = {"patience": {"type": "exponential", "mean": "20min"}}
BACK = {"next": [{"to": "done", "probability": 0.9}, {"to": "ask", "probability": 0.1, "after": "1h"}]}
SOON = {"next": [{"to": "done", "probability": 0.9}, {"to": "ask", "probability": 0.1}]}

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {
    "first come, first served, 1 server": ({"capacity": 1}, {}, 1.0),
    "first come, first served": ({"capacity": SERVERS}, {}, 1.0),
    "with patience": ({"capacity": SERVERS}, IMPATIENT, 1.0),
    "with a capacity by hour": ({"capacity": [SERVERS] * 12 + [SERVERS + 4] * 12}, {}, 1.0),
    "with priorities": ({"capacity": SERVERS, "queue": "priority"}, {}, 1.0),
    "where one in ten comes back, after an hour": ({"capacity": SERVERS}, BACK, 1.0),
    "where one in ten comes back, at once": ({"capacity": SERVERS}, SOON, 0.02),
}
"""What is measured -> the resource, what is added to its step, and the share of the cases that is run."""


def scenario(cases: float, resource: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    """So many cases in expectation at a resource that is busy for 80% of the time."""
    capacity = resource["capacity"]
    servers = capacity if isinstance(capacity, int) else sum(capacity) / len(capacity)
    mean = LOAD * servers * DAYS * 86_400 / cases * (0.9 if step in (BACK, SOON) else 1.0)
    ask = {
        "resource": "desk",
        "service": {"type": "exponential", "mean": f"{mean:.6f}s"},
        "next": [{"to": "done"}],
        **step,
    }
    return {
        "name": "desk",
        "start": "2024-01-01",
        "end": "2024-03-01",
        "entities": {"user": {"initial": {"count": USERS}}},
        "resources": {"desk": resource},
        "processes": {
            "call": {
                "entity": "user",
                "start": {"rate": f"{cases / USERS / DAYS:.9f}/day"},
                "steps": {"ask": ask, "done": {}},
            }
        },
    }


def cases_per_s(cases: int, resource: dict[str, Any], step: dict[str, Any], share: float) -> float:
    """Visits a second of a whole run that goes nowhere."""
    model = compile_scenario(load(scenario(cases * share, resource, step)))
    visits = 0

    def run() -> None:
        nonlocal visits
        for batch in simulate(model):
            visits += len(batch) if batch.stream.name == "call_service" else 0

    seconds = timed(run)
    return visits / seconds


def served_per_s(cases: int, capacity: int) -> float:
    """Cases a second through the servers alone, from arrays to arrays."""
    rng = np.random.default_rng(1)
    arrived = np.cumsum(rng.exponential(SECOND, cases)).astype(np.int64)
    service = rng.exponential(LOAD * capacity * SECOND, cases).astype(np.int64) + 1
    queue = Queue(arrived, service, np.full(cases, NEVER), np.zeros(cases))
    servers = Servers(Resource("desk", False, np.zeros(1, dtype=np.int64), np.array([capacity])))
    return cases / timed(lambda: servers.serve(queue, NEVER))


def main() -> None:
    options = arguments("cases a second through resources")
    cases = 200_000 if options.quick else 2_000_000
    alone = {f"servers alone, {n}": partial(served_per_s, cases, n) for n in (1, SERVERS)}
    runs = {name: partial(cases_per_s, cases, *way) for name, way in WAYS.items()}
    measured = interleaved({**alone, **runs}, 2 if options.quick else 5)
    rates = {name: median(values) for name, values in measured.items()}
    result = {"environment": environment(), "cases_per_s": rates}
    publish(result, table(("", "cases/s"), rates.items()), options.json)


if __name__ == "__main__":
    main()
