"""Births of roots need no pilot: a declared number, or a Poisson process whose mean is an integral."""

from __future__ import annotations

from sim.engine.forecast.moments import Estimate
from sim.engine.forecast.pilot import root_initial
from sim.maths.curves import integral
from sim.maths.predictive import count_interval
from sim.model.model import Model, Population


def exact_births(model: Model, population: Population, months: list[tuple[int, int]]) -> list[Estimate] | None:
    """Births in each of `months` (start, end), and of the whole run last; None where only a pilot can tell."""
    if population.parent is not None or population.name in model.disturbances.hits:
        return None
    spans = [*months, (model.start, model.end)]
    initial = root_initial(population)
    return [_births(model, population, *span, initial if span[0] == model.start else 0) for span in spans]


def _births(model: Model, population: Population, start: int, end: int, initial: int) -> Estimate:
    arrivals = population.arrivals
    if arrivals is None:
        return Estimate(initial, initial, initial)
    mass = integral(population.arrival_curve, start, end)
    if arrivals.total is None:
        mean = population.arrival_rate * mass
        low, high = count_interval(mean, mean)
    else:
        share = mass / max(integral(population.arrival_curve, model.start, model.end), 1e-300)
        mean = arrivals.total * share
        low, high = count_interval(mean, mean * (1 - min(share, 1.0)))
    return Estimate(initial + mean, initial + low, initial + high)
