"""All kinds of behaviour, and what is measured of each: `measure(facts, model)` gives findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sim.model.model import Model
from sim.quality.behaviours import (
    attribution,
    births,
    followers,
    funnels,
    hazards,
    pushes,
    queueing,
    rates,
    remaining,
    schedules,
    triggers,
    worths,
)
from sim.quality.behaviours.reading import Facts
from sim.quality.finding import Finding, unmeasured

Measure = Callable[[Facts, Model], Iterator[Finding]]

BEHAVIOURS: Mapping[str, Measure] = {
    "rates": rates.measure,
    "schedules": schedules.measure,
    "hazards": hazards.measure,
    "survival": remaining.measure,
    "births": births.measure,
    "funnels": funnels.measure,
    "attribution": attribution.measure,
    "followers": followers.measure,
    "triggers": triggers.measure,
    "pushes": pushes.measure,
    "queueing": queueing.measure,
    "values": worths.measure,
}
"""What is measured, by kind."""


def guarded(kind: str, facts: Facts, model: Model) -> Iterator[Finding]:
    """What is found of one kind; where SQL fails, as on data that are not what they seem, that is the finding."""
    import duckdb

    try:
        yield from BEHAVIOURS[kind](facts, model)
    except duckdb.Error as error:
        yield unmeasured("behaviour", kind, "data set", str(error).splitlines()[0][:200])


def measure_behaviours(facts: Facts, model: Model) -> Iterator[Finding]:
    """Every declared behaviour of the model against what the facts show, kind by kind."""
    for kind in BEHAVIOURS:
        yield from guarded(kind, facts, model)
