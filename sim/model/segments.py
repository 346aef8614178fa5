"""Segmentations, weights and lifecycles of a population: names to codes, multipliers to arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sim.attributes.column import strings
from sim.maths.ages import AgeCurve
from sim.maths.curves import BoundCurve, product_of
from sim.maths.hazards import BassHazard
from sim.model.binding import Binder
from sim.model.model import Exit, Factors, Machine, Profile, Segmentation, StateFactors, Trigger, Values
from sim.scenario.schema import Entity, Lifecycle, Scenario, SegmentEffect, StreamSpec, Transition


def segmentations_of(scenario: Scenario, kind: str, index: Mapping[str, int]) -> tuple[Segmentation, ...]:
    """The segmentations in effect for `kind`, its own first, then what it inherits."""
    result = []
    for name, (owner, segments) in scenario.segmentations(kind).items():
        parts = list(segments.values())
        result.append(
            Segmentation(
                name=name,
                owner=index[owner],
                names=tuple(segments),
                shares=np.array([segment.weight for segment in parts]),
                activity=np.array([segment.activity for segment in parts]),
                value=np.array([segment.value for segment in parts]),
                hazard=np.array([segment.hazard for segment in parts]),
                dictionary=strings(list(segments)),
            )
        )
    return tuple(result)


def _overridden(
    segmentations: Sequence[Segmentation], key: str, effects: Mapping[str, Mapping[str, SegmentEffect]]
) -> tuple[Factors, ...]:
    """The factors called `key` by segmentation, where a stream says something else, that."""
    result = []
    for segmentation in segmentations:
        factors = getattr(segmentation, key).copy()
        for name, effect in effects.get(segmentation.name, {}).items():
            if (factor := getattr(effect, key)) is not None:
                factors[segmentation.names.index(name)] = factor
        result.append(factors)
    return tuple(result)


def profile_of(
    binder: Binder, lineage: Sequence[Entity], segmentations: Sequence[Segmentation], spec: StreamSpec
) -> Profile:
    """What multiplies the rate of a stream, besides frailty and curves over time; `lineage` begins with its entity."""
    states = []
    for generation, relative in enumerate(lineage):
        if relative.lifecycle is not None:
            only = spec.states if generation == 0 else None
            states.append(StateFactors(generation, _state_factors(relative.lifecycle, only)))
    entity = lineage[0]
    cohort = entity.vintage.cohort
    return Profile(
        segments=_overridden(segmentations, "activity", spec.segments),
        vintage=spec.vintage or entity.vintage.activity,
        cohort=None if cohort is None else binder.product([cohort]),
        states=tuple(states),
    )


def _state_factors(lifecycle: Lifecycle, only: Sequence[str] | None) -> Factors:
    """Activity by state; 0 outside of the states `only`, if these are given."""
    return np.array([state.factor if only is None or name in only else 0.0 for name, state in lifecycle.states.items()])


def values_of(
    entity: Entity, segmentations: Sequence[Segmentation], effects: Mapping[str, Mapping[str, SegmentEffect]]
) -> Values:
    """What multiplies the values of a stream."""
    return Values(_overridden(segmentations, "value", effects), entity.vintage.value)


def machine_of(
    binder: Binder, entity: Entity, segmentations: Sequence[Segmentation], triggers: Mapping[tuple[str, int], Trigger]
) -> Machine | None:
    """The lifecycle of an entity as a state machine; `triggers` are those of its transitions, by state and place."""
    lifecycle = entity.lifecycle
    if lifecycle is None:
        return None
    states = tuple(lifecycle.states)
    reasons = tuple(dict.fromkeys(t.reason for state in lifecycle.states.values() for t in state.transitions)) or ("",)
    exits = tuple(
        tuple(
            _exit(
                binder, transition, states, reasons, segmentations, entity.vintage.hazard, triggers.get((name, number))
            )
            for number, transition in enumerate(state.transitions)
        )
        for name, state in lifecycle.states.items()
    )
    terminal = np.array([state.terminal for state in lifecycle.states.values()])
    cut = np.array([state.cut for state in lifecycle.states.values()])
    return Machine(states, reasons, _initial(lifecycle, states), exits, terminal, cut)


def _initial(lifecycle: Lifecycle, states: tuple[str, ...]) -> Factors:
    weights = {lifecycle.initial: 1.0} if isinstance(lifecycle.initial, str) else lifecycle.initial
    return np.array([weights.get(name, 0.0) for name in states])


def _exit(
    binder: Binder,
    transition: Transition,
    states: tuple[str, ...],
    reasons: tuple[str, ...],
    segmentations: Sequence[Segmentation],
    vintage: AgeCurve | None,
    trigger: Trigger | None,
) -> Exit:
    factors = []
    for segmentation in segmentations:
        own = segmentation.hazard.copy()
        for name, factor in transition.segments.get(segmentation.name, {}).items():
            own[segmentation.names.index(name)] = factor
        factors.append(own)
    vintages = (vintage, transition.vintage) if transition.hazard is not None else ()
    return Exit(
        to=states.index(transition.to),
        reason=reasons.index(transition.reason),
        hazard=transition.hazard,
        segments=tuple(factors),
        vintages=tuple(curve for curve in vintages if curve is not None),
        curve=_over_time(binder, transition),
        after=transition.after,
        probability=transition.probability,
        trigger=trigger,
    )


def _over_time(binder: Binder, transition: Transition) -> BoundCurve | None:
    """What time multiplies the hazard by; imitation is such a factor too."""
    curve = binder.product(transition.curves) if transition.curves else None
    if not isinstance(transition.hazard, BassHazard):
        return curve
    imitation = transition.hazard.imitation(binder.timeline.start)
    return imitation if curve is None else product_of([imitation, curve])
