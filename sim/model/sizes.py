"""How large a scenario is: expected entities and facts, and the tick that follows from them.

The tick comes from the scenario's own numbers, never from the machine, because it is part of what is reproducible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sim.maths.curves import BoundCurve, integral
from sim.maths.hazards import BassHazard, WeibullHazard
from sim.maths.units import DAY, HOUR, MINUTE, SECOND, WEEK
from sim.model.binding import Binder
from sim.scenario.schema import Lifecycle, Scenario, StreamSpec, Transition

FACTS_PER_TICK = 1_500_000
_TICKS = (
    *(1000, 10_000, 100_000, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR),
    *(DAY, 2 * DAY, WEEK, 2 * WEEK, 30 * DAY),
)
MAX_TICKS = 2**21
_AGES = 64
_STEPS = 64
_SQUARINGS = 60


def expected_entities(scenario: Scenario, arrivals: Mapping[str, tuple[float, BoundCurve]]) -> dict[str, float]:
    """Expected number of entities of each kind by the end of the run; parents come before children in `arrivals`."""
    expected: dict[str, float] = {}
    for kind, (rate, curve) in arrivals.items():
        entity = scenario.entities[kind]
        count = float(entity.initial.count) if entity.initial else 0.0
        if entity.arrivals is not None:
            if entity.arrivals.total is not None:
                count += entity.arrivals.total
            elif entity.arrivals.on is not None and entity.parent is not None:
                count += expected[entity.parent]
            elif entity.arrivals.per_parent is not None and entity.parent is not None:
                count += entity.arrivals.per_parent.mean() * expected[entity.parent]
            else:
                count += rate * integral(curve, scenario.start, scenario.end)
        expected[kind] = count
    return expected


def changes_per_microsecond(lifecycle: Lifecycle, run: int) -> float:
    """Changes of state of one entity, roughly: as if every way out had its mean hazard, whatever time, age or segment.

    The higher of the expected rates at about half of the run and at its end, found by squaring the transition matrix of
    the uniformised chain (Jensen 1953).
    """
    names = list(lifecycle.states)
    rates = np.zeros((len(names), len(names)))
    for place, state in enumerate(lifecycle.states.values()):
        for transition in state.transitions:
            rates[place, names.index(transition.to)] += _mean_rate(transition)
    leaving = rates.sum(axis=1)
    if not leaving.any():
        return 0.0
    initial = {lifecycle.initial: 1.0} if isinstance(lifecycle.initial, str) else lifecycle.initial
    where = np.array([initial.get(name, 0.0) for name in names])
    fast = _STEPS * max(leaving.max(), 1 / run)
    step = np.eye(len(names)) + (rates - np.diag(leaving)) / fast
    squarings = min(int(np.log2(fast * run)), _SQUARINGS)
    for _ in range(squarings - 1):
        step = step @ step
    return float(max(where / where.sum() @ power @ leaving for power in (step, step @ step)))


def _mean_rate(transition: Transition) -> float:
    """One over the mean time to leave, per microsecond, if no other way out is taken before."""
    if transition.after is not None:
        return transition.probability / max(transition.after.mean(), 1.0)
    if isinstance(transition.hazard, WeibullHazard):
        return 1 / (transition.hazard.scale * math.gamma(1 + 1 / transition.hazard.shape))
    if isinstance(transition.hazard, BassHazard):
        return transition.hazard.highest
    return transition.hazard.rate if transition.hazard is not None else 0.0


def choose_tick(scenario: Scenario, rate: float) -> int:
    """The longest round tick that expects no more than `FACTS_PER_TICK` facts, and leaves fact ids room to count."""
    if scenario.tick is not None:
        return scenario.tick
    ideal = FACTS_PER_TICK / rate if rate > 0 else float(_TICKS[-1])
    shortest = (scenario.end - scenario.start) / MAX_TICKS
    if scenario.resolution is not None:
        ideal = min(ideal, scenario.resolution)
    fitting = [tick for tick in _TICKS if shortest < tick <= ideal]
    longer = [tick for tick in _TICKS if tick > shortest]
    return fitting[-1] if fitting else (longer[0] if longer else _TICKS[-1])


def expected_rate(scenario: Scenario, binder: Binder, spec: StreamSpec) -> float:
    """Mean facts per entity and microsecond, roughly, children not counted."""
    if spec.every is not None:
        return spec.every.probability / spec.every.duration
    if spec.rate is None:
        return 0.0
    run = scenario.end - scenario.start
    rate = spec.rate * binder.integral(spec.curves) / run
    for name, (_, segments) in scenario.segmentations(spec.entity).items():
        effects = spec.segments.get(name, {})
        weights = np.array([segment.weight for segment in segments.values()])
        activity = [
            segment.activity if (effect := effects.get(key)) is None or effect.activity is None else effect.activity
            for key, segment in segments.items()
        ]
        rate *= float(weights @ np.array(activity) / weights.sum())
    vintage = spec.vintage or scenario.entities[spec.entity].vintage.activity
    if vintage is not None:
        rate *= float(vintage.at(np.linspace(0, run, _AGES).astype(np.int64)).mean())
    return rate
