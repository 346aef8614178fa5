"""The pilot: the same world made smaller or larger, in one block, run with seeds of its own.

Roots (entities without a parent) live independently of each other, with all that belongs to them, so that a world with
a tenth of the roots has a tenth of the facts, and what single roots have says how much a whole run varies.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sim.engine.forecast.thinning import thinnable
from sim.model.model import Model, Population

BUDGET = 600_000
"""Facts of all pilots of a forecast together, roughly, where the scenario lets that be chosen."""
QUICK = 100_000
_FIRST = 6
"""The first pilot has one part in so many of them: how many facts a root has is known after it."""
_MOST = 8.0
_ROOTS, _FEWEST = 200, 48
"""Roots of a kind that a pilot has, and those that it has even where these have too many facts: half of them if it
has to be quick. Thirteen buildings say little about how the next thirteen differ, so there may be more than in a run.
"""
_WINDOWS = 24
_SEVERAL, _FEW = 8, 4
_MANY_WINDOWS = 200
_ROOM = 500_000


@dataclass(frozen=True, slots=True)
class Pilot:
    """A world to be run: `model` is `real` with `scales` times as many roots, by population.

    `thinning` is the share of facts kept of the streams that it names.
    """

    real: Model
    model: Model
    seed: int
    scales: tuple[float, ...]
    thinning: Mapping[str, float]


def first_pilot(model: Model, seed: int, budget: float) -> Pilot:
    """A pilot of some of the facts of `budget`; the same seed gives the same pilot on every machine."""
    volumes = family_volumes(model)
    scales = _scales(model, volumes, budget / _FIRST)
    thinning = {}
    for name in thinnable(model):
        root = root_of(model, _owner(model, name)).index
        if volumes[root] * scales[root] > 2 * budget:
            thinning[name] = 2 * budget / (volumes[root] * scales[root])
    return _pilot(model, seed, 0, scales, sum(v * s for v, s in zip(volumes, scales, strict=True)), thinning)


def more_pilots(first: Pilot, seed: int, facts: int, budget: float) -> list[Pilot]:
    """Further pilots, knowing that the first had so many facts.

    Where chance decides about what all entities share, they are as large as the first, so that worlds can be compared;
    else there is one that uses up the budget, or several where the scenario's size is given by its queues.
    """
    model, left = first.real, budget - facts
    if shared_chance(model):
        windows = (model.end - model.start) / first.model.tick
        count = _FEW if windows > _MANY_WINDOWS or budget < BUDGET else _SEVERAL
        return [_pilot(model, seed, n, first.scales, facts, first.thinning) for n in range(1, count)]
    if first.thinning or left < facts / 2:
        return []
    if model.resources or model.processes:
        count = min(int(left // max(facts, 1)), _SEVERAL - 1)
        return [_pilot(model, seed, number, first.scales, facts, {}) for number in range(1, count + 1)]
    scales = [min(scale * left / max(facts, 1), _MOST) for scale in first.scales]
    return [_pilot(model, seed, 1, scales, left, {})]


def hamlet(model: Model) -> Model:
    """The model with about one root of each kind, in one block, with its own tick."""
    return replace(model, blocks=1, populations=tuple(_scaled(p, 1 / max(p.expected, 1.0)) for p in model.populations))


def _pilot(
    model: Model, seed: int, number: int, scales: Sequence[float], facts: float, thinning: Mapping[str, float]
) -> Pilot:
    populations = tuple(_scaled(own, scales[own.index]) for own in model.populations)
    small = replace(model, blocks=1, tick=_tick(model, facts), populations=populations)
    return Pilot(model, small, _seed(seed, number), tuple(scales), thinning)


def family_volumes(model: Model) -> list[float]:
    """Facts that are expected of each root population and of all that belongs to it, roughly; by population."""
    volumes = [0.0] * len(model.populations)
    for stream in model.streams:
        population = next((own for own in model.populations if stream.key == f"{own.name}_id"), None)
        if population is not None:
            volumes[root_of(model, population.name).index] += model.volumes.get(stream.name, 0.0)
    return volumes


def root_initial(population: Population) -> int:
    """How many of a root population exist at the start."""
    return population.initial.count if population.initial is not None else 0


def delayed(model: Model) -> bool:
    """Whether something takes effect at the next tick, so that the tick's length is part of the world."""
    return any("next tick" in line for line in model.order)


def shared_chance(model: Model) -> bool:
    """Whether chance decides about something that all entities share."""
    struck = any(i.population < 0 and i.machine is not None for i in model.disturbances.incidents)
    return struck or bool(model.processes)


def _scales(model: Model, volumes: Sequence[float], budget: float) -> list[float]:
    """How many times as many of each population the pilot has, by population; 1 where there are queues."""
    if model.resources or model.processes:
        return [1.0] * len(volumes)
    most = 1.0 if shared_chance(model) else _MOST
    common = min(most, budget / max(sum(volumes), 1.0))
    fewest = _FEWEST if budget * _FIRST >= BUDGET else _FEWEST / 2
    scales = []
    for population in model.populations:
        root = root_of(model, population.name)
        count = max(root.expected, 1.0)
        scale = max(common, _ROOTS / count)
        if volumes[root.index] * scale > 2 * budget:
            scale = max(2 * budget / volumes[root.index], fewest / count)
        scales.append(min(scale, most))
    return scales


def _scaled(population: Population, scale: float) -> Population:
    """The population with so many times as many roots; who is born into a family follows by itself."""
    if population.parent is not None or scale == 1.0:
        return population
    initial, arrivals = population.initial, population.arrivals
    if initial is not None and initial.count:
        initial = initial.model_copy(update={"count": max(round(initial.count * scale), 1)})
    if arrivals is not None and arrivals.total:
        arrivals = arrivals.model_copy(update={"total": max(round(arrivals.total * scale), 1)})
    return replace(population, initial=initial, arrivals=arrivals, arrival_rate=population.arrival_rate * scale)


def _tick(model: Model, facts: float) -> int:
    """A tick as long as the pilot allows: every window costs its time, however little happens in it."""
    if delayed(model) or model.resources or model.processes:
        return model.tick
    run = model.end - model.start
    count = max(_WINDOWS, math.ceil(facts / _ROOM))
    return max(model.tick, -(-run // count))


def root_of(model: Model, population: str) -> Population:
    """The population without a parent to whose families the named one belongs."""
    return model.lineage(model.population(population))[-1]


def _owner(model: Model, stream: str) -> str:
    """The population whose facts a starter gives, by name."""
    activities = (*model.activities, *(flow.start for flow in model.flows if flow.start is not None))
    return next(model.populations[own.population].name for own in activities if own.name == stream)


def _seed(seed: int, number: int) -> int:
    """A seed that no run has but by chance: a forecast is of all runs, not of the one with the scenario's seed."""
    words = hashlib.blake2b(f"forecast/{seed}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(words, "little") >> 1
