"""Processes: the share of cases that goes each way from each step, how long they take, and where they begin.

A case at a step goes to step j within the time h that is left with probability p_j F_j(h), where F_j is the declared
distribution of the delay: the cumulative incidence of one of several outcomes (Aalen and Johansen 1978, with declared
hazards). So cases in flight are not left out, which would favour quick ways, but expected to be in flight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sim.maths.distributions import DurationDistribution
from sim.model.model import Branch, Flow, Model
from sim.quality.behaviours import grid
from sim.quality.behaviours.chances import FEWEST, even, share
from sim.quality.behaviours.reading import Facts, Floats, Indices, NotMeasurable
from sim.quality.behaviours.survival import lengths, share_within
from sim.quality.behaviours.walks import Walks, queues, walks_of
from sim.quality.finding import Finding, statistical, unmeasured


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways out of one step, for `rows` of the walks: `chance` [rows, steps] of each target within the horizon.

    `delays` are, by target with a single way to it, the length's distribution and its factor and limit by row.
    """

    rows: Indices
    chance: Floats
    delays: dict[int, tuple[DurationDistribution, Floats, Floats]]


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every way of every process."""
    for flow in model.flows:
        try:
            walks = walks_of(facts, model, flow)
            yield from _first(flow, walks)
            for step in range(len(flow.steps)):
                if flow.branches[step]:
                    yield from _of_step(model, flow, walks, step)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "ways", flow.name, str(why))


def _first(flow: Flow, walks: Walks) -> Iterator[Finding]:
    """Where cases begin."""
    possible = np.flatnonzero(flow.first > 0)
    found = np.bincount(walks.steps[walks.index == 0], minlength=len(flow.steps)).astype(np.float64)
    expected = flow.first * found.sum()
    if len(possible) < 2 or expected[possible].min() < FEWEST:
        return
    chi2 = float(((found - expected)[possible] ** 2 / expected[possible]).sum())
    worst = int(possible[np.argmax(np.abs(found - expected)[possible] / np.sqrt(expected[possible]))])
    yield statistical(
        "behaviour",
        "first_steps",
        flow.name,
        float(stats.chi2.sf(chi2, len(possible) - 1)) if found[flow.first == 0].sum() == 0 else 0.0,
        estimate=float(found[worst] / found.sum()),
        declared=float(flow.first[worst]),
        detail=f"share that begins at {flow.steps[worst]}; chi-square {chi2:.1f} with {len(possible) - 1} degrees",
    )


def _of_step(model: Model, flow: Flow, walks: Walks, step: int) -> Iterator[Finding]:
    name = f"{flow.name}: {flow.steps[step]}"
    try:
        ways = _ways(flow, walks, step)
    except NotMeasurable as why:
        yield unmeasured("behaviour", "ways", name, str(why))
        return
    for target in np.flatnonzero(ways.chance.sum(axis=0) > 0).tolist():
        subject = f"{name} to {flow.steps[target]}"
        taken = walks.following[ways.rows] == target
        chance = ways.chance[:, target]
        declared = sum(branch.probability for branch in flow.branches[step] if branch.to == target)
        yield from share("ways", subject, taken, chance, declared, "probability of the way, before factors")
        yield from _groups(model, flow, walks, ways, subject, taken, chance)
        if target in ways.delays:
            length, factor, limit = ways.delays[target]
            here = np.flatnonzero(taken)
            found = walks.later[ways.rows[here]] / factor[here]
            inside = found <= limit[here]
            yield from lengths("delays", subject, length, found[inside], limit[here][inside])


def _ways(flow: Flow, walks: Walks, step: int) -> Ways:
    rows = np.flatnonzero((walks.steps == step) & walks.calm)
    service = flow.services[step]
    waiting = service.duration if service is not None and step not in queues(flow) else None
    if waiting is not None and any(branch.after is not None for branch in flow.branches[step]):
        raise NotMeasurable("the time in the step and the time to the next one are seen as a sum only")
    chance = np.zeros((len(rows), len(flow.steps)))
    delays: dict[int, tuple[DurationDistribution, Floats, Floats]] = {}
    several: list[int] = []
    horizon = walks.horizon[rows].astype(np.float64)
    for branch in flow.branches[step]:
        share = _probability(flow, walks, branch, step, rows) * _open(flow, walks, branch.to, rows)
        length = branch.after if waiting is None else waiting
        if length is None:
            chance[:, branch.to] += share
            several.append(branch.to)
            continue
        factor = walks.factors(branch.delays, rows) if waiting is None else np.ones(len(rows))
        limit = horizon if branch.timeout is None else np.minimum(horizon, branch.timeout)
        chance[:, branch.to] += share * share_within(length, limit / np.maximum(factor, 1e-300))
        several.append(branch.to)
        delays[branch.to] = (length, factor, limit / np.maximum(factor, 1e-300))
        if branch.timeout is not None and branch.otherwise >= 0:
            late = 1 - share_within(length, branch.timeout / np.maximum(factor, 1e-300))
            still = late * (horizon > branch.timeout) * _open(flow, walks, branch.otherwise, rows)
            chance[:, branch.otherwise] += share * still
            several.append(branch.otherwise)
    single = {target for target in delays if several.count(target) == 1}
    return Ways(rows, np.minimum(chance, 1.0), {target: delays[target] for target in single})


def _probability(flow: Flow, walks: Walks, branch: Branch, step: int, rows: Indices) -> Floats:
    share: Floats = branch.probability * walks.factors(branch.probabilities, rows)
    for place, factors in branch.history:
        visits = walks.index if place < 0 else walks.visits[:, flow.counted.index(place)] - (place == step)
        share = share * factors[np.minimum(visits[rows], len(factors) - 1)]
    return np.asarray(share, dtype=np.float64)


def _open(flow: Flow, walks: Walks, target: int, rows: Indices) -> Floats:
    """Whether the step ahead has visits left, 1 or 0."""
    limit = flow.limits[target]
    if not limit:
        return np.ones(len(rows))
    return np.asarray(walks.visits[rows, flow.counted.index(target)] < limit, dtype=np.float64)


def _groups(
    model: Model, flow: Flow, walks: Walks, ways: Ways, subject: str, taken: np.ndarray, chance: Floats
) -> Iterator[Finding]:
    """Whether the share differs between segments and periods by more than is declared, given the share overall."""
    if walks.members is not None:
        member = walks.member[ways.rows]
        for segmentation, codes in zip(walks.members.population.segmentations, walks.members.segments, strict=True):
            yield from even(
                "way_segments", f"{subject}, {segmentation.name}", segmentation.names, codes[member], taken, chance
            )
    edges = grid.periods(model.timeline, min(float(chance.sum()), float(len(chance) - chance.sum())))
    period = np.searchsorted(edges, walks.left[ways.rows], side="right")
    yield from even("way_time", subject, grid.labels_of_periods(model.timeline, edges), period, taken, chance)
