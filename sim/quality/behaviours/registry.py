"""All kinds of behaviour, and what is measured of each: `measure(facts, model)` gives findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sim.model.model import Model
from sim.quality.behaviours import births, hazards, rates
from sim.quality.behaviours.reading import Facts
from sim.quality.finding import Finding

Measure = Callable[[Facts, Model], Iterator[Finding]]

BEHAVIOURS: Mapping[str, Measure] = {
    "rates": rates.measure,
    "hazards": hazards.measure,
    "births": births.measure,
}
"""What is measured, by kind."""


def measure_behaviours(facts: Facts, model: Model) -> Iterator[Finding]:
    """Every declared behaviour of the model against what the facts show, kind by kind."""
    for measure in BEHAVIOURS.values():
        yield from measure(facts, model)
