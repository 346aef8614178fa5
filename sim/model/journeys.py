"""Processes as Markov chains: where cases go from step to step, whatever the time at which they do.

Where a probability depends on how often a case was somewhere before, the state of the chain is the step together with
these counts, as far as they matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.errors import ParameterError
from sim.maths.absorbing import Chain, Indices
from sim.maths.arrays import Floats
from sim.model.model import Branch, BranchFactors, Flow, Model

MOST_STATES = 300_000

States = tuple[Indices, ...]
"""Of every state: the step, how many steps came before, how often each counted step was among them."""


@dataclass(frozen=True, slots=True)
class Journey:
    """The cases of a process as a chain, and the code of the step of each of its states."""

    chain: Chain
    steps: Indices


def chainable(flow: Flow) -> bool:
    """Whether the cases of a process are such a chain: neither time, age nor queues matter, not too many counts do."""
    if any(service is not None and service.patience is not None for service in flow.services):
        return False
    ways = [branch for branches in flow.branches for branch in branches]
    changing = any(_changing(b.probabilities) or (b.timeout and b.after and _changing(b.delays)) for b in ways)
    return not changing and math.prod(_shape(flow)) <= MOST_STATES


def exact(model: Model, flow: Flow) -> bool:
    """Whether the truth about a process follows from the scenario: a chain whose chances no incident changes."""
    return chainable(flow) and not any(hit.factors != (1.0,) * 4 for hit in model.disturbances.of(flow.name))


def journey_of(flow: Flow, codes: Sequence[int]) -> Journey:
    """The chain of those with these segments, given by code for each segmentation.

    Raises ParameterError where the ways on from a step have probabilities that sum to more than 1.
    """
    shape = _shape(flow)
    states = np.unravel_index(np.arange(math.prod(shape)), shape)
    moves = [move for step in range(len(flow.steps)) for move in _moves(flow, codes, shape, states, step)]
    none = np.empty(0, dtype=np.int64)
    source, target, probability = (
        np.concatenate([none.astype(kind), *(move[part] for move in moves)])
        for part, kind in enumerate((np.int64, np.int64, np.float64))
    )
    first = np.zeros(math.prod(shape))
    first[np.ravel_multi_index((np.arange(len(flow.steps)), *[0] * (len(shape) - 1)), shape)] = flow.first
    chain = Chain(first, source, target, probability)
    _check(flow, codes, states, chain)
    return Journey(chain, np.asarray(states[0], dtype=np.int64))


def _changing(factors: BranchFactors) -> bool:
    return factors.vintage is not None or factors.curve is not None


def _shape(flow: Flow) -> tuple[int, ...]:
    """How many values each part of the state has: the step, the steps before, the visits of each counted step."""
    longest = dict.fromkeys((-1, *flow.counted), 1)
    for branch in (branch for branches in flow.branches for branch in branches):
        for place, factors in branch.history:
            longest[place] = max(longest[place], len(factors))
    for step, limit in enumerate(flow.limits):
        if limit:
            longest[step] = max(longest[step], limit + 1)
    return (len(flow.steps), *longest.values())


def _moves(
    flow: Flow, codes: Sequence[int], shape: tuple[int, ...], states: States, step: int
) -> Iterator[tuple[Indices, Indices, Floats]]:
    """The moves from `step`: from which states to which, with which probabilities."""
    here, before = _at(flow, states, step)
    now = {place: count + (place in (-1, step)) for place, count in before.items()}
    counts = [np.minimum(count, values - 1) for count, values in zip(now.values(), shape[1:], strict=True)]

    def at(to: int) -> Indices:
        return np.asarray(np.ravel_multi_index((np.full(len(here), to), *counts), shape), dtype=np.int64)

    for branch in flow.branches[step]:
        share = _shares(branch, codes, before, len(here))
        if flow.limits[branch.to]:
            share *= now[branch.to] < flow.limits[branch.to]
        late = _late(branch, codes)
        yield here, at(branch.to), share * (1 - late)
        if branch.otherwise >= 0 and late:
            yield here, at(branch.otherwise), share * late


def _at(flow: Flow, states: States, step: int) -> tuple[Indices, dict[int, Indices]]:
    """The states at a step, and how often cases in them were anywhere (-1) and at each counted step before."""
    here = np.flatnonzero(states[0] == step)
    return here, {place: part[here] for place, part in zip((-1, *flow.counted), states[1:], strict=True)}


def _shares(branch: Branch, codes: Sequence[int], before: Mapping[int, Indices], count: int) -> Floats:
    """Probability of a branch in each of some states."""
    share = np.full(count, branch.probability * _by_segment(branch.probabilities, codes))
    for place, factors in branch.history:
        share *= factors[np.minimum(before[place], len(factors) - 1)]
    return share


def _by_segment(factors: BranchFactors, codes: Sequence[int]) -> float:
    return math.prod(float(by[code]) for by, code in zip(factors.segments, codes, strict=True))


def _late(branch: Branch, codes: Sequence[int]) -> float:
    """Probability that the next step would take longer than the time-out."""
    factor = _by_segment(branch.delays, codes)
    if branch.after is None or branch.timeout is None or not factor:
        return 0.0
    return 1 - float(branch.after.cdf(np.array([branch.timeout / factor]))[0])


def _check(flow: Flow, codes: Sequence[int], states: States, chain: Chain) -> None:
    """Raise ParameterError where the probabilities of the ways on sum to more than 1, as a run would."""
    total = np.zeros(len(states[0]))
    for step, branches in enumerate(flow.branches):
        here, before = _at(flow, states, step)
        for branch in branches:
            total[here] += _shares(branch, codes, before, len(here))
    above = np.flatnonzero(total > 1 + 1e-9)
    above = above[chain.visits()[above] > 0] if len(above) else above
    if len(above):
        first = above[0]
        raise ParameterError(
            f"the probabilities of the ways on from {flow.steps[states[0][first]]!r} sum to"
            f" {total[first]:g} after their factors; at most 1 is possible"
        )
