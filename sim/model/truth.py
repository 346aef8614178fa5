"""The true influence of each step on the conversions of a process, from the scenario alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.errors import ParameterError
from sim.maths.arrays import Floats
from sim.model.journeys import Journey, chainable, journey_of
from sim.model.model import Flow, Model, Segmentation


@dataclass(frozen=True, slots=True)
class Touch:
    """What a step contributes: how often a case comes there, and which share of the converting cases and of the
    conversions would be lost if cases ended instead of going there (`error` is the standard error, 0 where exact).
    """

    step: str
    visits: float
    removal_effect: float
    conversions_lost: float
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Truth:
    """The cases of a process, of one combination of segments (all cases, where `segment` is empty).

    `weight` is their share of the cases, `converting` the probability that a case comes to a conversion at all,
    `conversions` the expected number of conversions per case. `cases` is their number where the truth was measured in
    a run, and 0 where it follows from the scenario exactly.
    """

    process: str
    segment: Mapping[str, str]
    weight: float
    converting: float
    conversions: float
    touches: tuple[Touch, ...]
    cases: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """The conversions' credit by step: the removal effects, divided by their sum."""
        total = sum(touch.removal_effect for touch in self.touches)
        return {touch.step: touch.removal_effect / total if total else 0.0 for touch in self.touches}


def truths_of(model: Model, flow: Flow) -> tuple[Truth, ...]:
    """The truth about all cases of `flow`, and then by segment where the segments' cases go different ways.

    Raises ParameterError where it has no conversions, where its chances change with time or age, or where they depend
    on too much of a case's history, where cases go on for too long, or where probabilities sum to more than 1.
    """
    if not flow.conversions:
        raise ParameterError(f"{flow.name} has no 'conversions'")
    if not chainable(flow):
        raise ParameterError(f"{flow.name}: chances change with time or age, or depend on too much of the history")
    try:
        found = list(_each(model, flow))
    except ParameterError as error:
        raise ParameterError(f"{flow.name}: {error}") from None
    whole = _mixture(flow, found)
    return (whole, *found) if len(found) > 1 else (whole,)


def touchpoints(flow: Flow) -> list[int]:
    """The steps that can contribute: those that are no conversions and lead on."""
    return [step for step, branches in enumerate(flow.branches) if branches and step not in flow.conversions]


def _each(model: Model, flow: Flow) -> Iterator[Truth]:
    """The truth by combination of those segments that matter."""
    segmentations = model.populations[flow.population].segmentations
    matters = [_matters(flow, place) for place in range(len(segmentations))]
    choices = [range(len(s.names)) if use else (0,) for s, use in zip(segmentations, matters, strict=True)]
    weights = [_weights(model, flow, place, s) for place, s in enumerate(segmentations)]
    for codes in itertools.product(*choices):
        parts = [(s, code, w) for s, code, w, use in zip(segmentations, codes, weights, matters, strict=True) if use]
        weight = math.prod(float(w[code]) for _, code, w in parts)
        if weight:
            segment = {s.name: s.names[code] for s, code, _ in parts}
            yield _truth(flow, journey_of(flow, codes), segment, weight)


def _matters(flow: Flow, place: int) -> bool:
    """Whether a segmentation makes any difference for where cases go."""
    return any(
        not np.all(factors.segments[place] == 1.0)
        for branches in flow.branches
        for branch in branches
        for factors in (branch.probabilities, branch.delays)
    )


def _weights(model: Model, flow: Flow, place: int, segmentation: Segmentation) -> Floats:
    """Shares of the cases by segment: of the entities, times their activity where cases start at a rate."""
    shares = segmentation.shares
    if flow.start is not None and flow.start.schedule is None:
        profile = model.populations[flow.population].profiles[flow.start.profile]
        shares = shares * profile.segments[place]
    total = shares.sum()
    return shares / total if total else shares


def _truth(flow: Flow, journey: Journey, segment: Mapping[str, str], weight: float) -> Truth:
    goal = np.isin(journey.steps, flow.conversions)
    visits = journey.chain.visits()
    converting, conversions = journey.chain.reaching(goal), float(visits[goal].sum())
    touches = []
    for step in touchpoints(flow):
        allowed = journey.steps != step
        without, left = journey.chain.reaching(goal, allowed), float(journey.chain.visits(allowed)[goal].sum())
        lost = 1 - without / converting if converting else 0.0
        fewer = 1 - left / conversions if conversions else 0.0
        touches.append(Touch(flow.steps[step], float(visits[~allowed].sum()), lost, fewer))
    return Truth(flow.name, segment, weight, converting, conversions, tuple(touches))


def _mixture(flow: Flow, parts: Sequence[Truth]) -> Truth:
    """All cases together: what each part loses counts as much as the part converts."""
    weights = np.array([part.weight for part in parts])
    converting = weights * [part.converting for part in parts]
    conversions = weights * [part.conversions for part in parts]
    touches = tuple(
        Touch(
            step=touches[0].step,
            visits=float(weights @ [touch.visits for touch in touches]),
            removal_effect=_mean(converting, [touch.removal_effect for touch in touches]),
            conversions_lost=_mean(conversions, [touch.conversions_lost for touch in touches]),
        )
        for touches in zip(*(part.touches for part in parts), strict=True)
    )
    return Truth(flow.name, {}, 1.0, float(converting.sum()), float(conversions.sum()), touches)


def _mean(weights: Floats, values: Sequence[float]) -> float:
    return float(weights @ np.array(values) / weights.sum()) if weights.any() else 0.0
