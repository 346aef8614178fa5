"""For the tests of behavioural checks: the facts of small worlds in SQL, and what is found in them."""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
from evidence import ALPHA
from scipy import stats
from worlds import SEED, model

from sim.delivery.collect import to_arrow
from sim.engine.simulate import simulate
from sim.quality.behaviours.registry import BEHAVIOURS
from sim.quality.finding import Finding
from sim.quality.score import grade

SEEDS = int(os.environ.get("DATAGEN_TEST_SEEDS", "12"))
"""Runs behind a test of how p-values are distributed; 200 of them are the proof, a dozen the watch."""


@dataclass(frozen=True)
class InMemory:
    """The facts of a run as tables in memory."""

    db: duckdb.DuckDBPyConnection
    streams: tuple[str, ...]


def facts_of(mapping: Mapping[str, Any], seed: int = SEED) -> InMemory:
    """A run of a scenario."""
    db = duckdb.connect(config={"threads": 1})
    tables = to_arrow(simulate(model(mapping), seed))
    for name, table in tables.items():
        db.register(name, table)
    return InMemory(db, tuple(tables))


def measured(kind: str, mapping: Mapping[str, Any], run: InMemory) -> list[Finding]:
    """What one kind of check finds in a run of which `mapping` is declared."""
    return list(BEHAVIOURS[kind](run, model(mapping)))


def failed(kind: str, mapping: Mapping[str, Any], run: InMemory) -> set[str]:
    """The names of the checks that do not hold for a run of which `mapping` is declared."""
    return {finding.name for finding in grade(measured(kind, mapping, run), ALPHA).failed}


def changed(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a scenario with another value at a dotted path."""
    whole = copy.deepcopy(dict(mapping))
    *way, last = path.split(".")
    place: Any = whole
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return whole


def p_values(kind: str, mapping: Mapping[str, Any], seeds: Iterable[int]) -> dict[tuple[str, str], list[float]]:
    """The p-values of each finding over runs that are as declared."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in seeds:
        for finding in measured(kind, mapping, facts_of(mapping, seed)):
            if finding.p_value is not None:
                found[finding.name, finding.subject].append(finding.p_value)
    return found


def uneven(found: Mapping[tuple[str, str], list[float]], alpha: float = 1e-4) -> dict[tuple[str, str], float]:
    """Those whose p-values are not uniform: Kolmogorov-Smirnov, corrected for their number."""
    tests = {key: float(stats.kstest(values, "uniform").pvalue) for key, values in found.items() if len(values) > 4}
    return {key: p for key, p in tests.items() if p < alpha / max(len(tests), 1)}
