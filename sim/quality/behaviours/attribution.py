"""Attribution: how many journeys convert, and what each touchpoint contributes, against the truth of the scenario.

Without a touchpoint exactly those converting journeys are lost that came through it before they converted. So its
removal effect (Anderl, Becker, von Wangenheim and Schumann 2016) is a share of the converting journeys, which are
independent of each other; its share of the credit is a ratio of sums over them, whose error is that of the linearised
ratio (Cochran 1977). Journeys count that began early enough to be over when the run ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sim.errors import ParameterError
from sim.model.journeys import exact
from sim.model.model import Flow, Model
from sim.model.truth import Truth, touchpoints, truths_of
from sim.quality.behaviours.chances import share
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.members import members_of
from sim.quality.behaviours.reading import (
    Facts,
    Floats,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    code,
    columns,
    count,
    instant,
    quoted,
    require,
)
from sim.quality.behaviours.walks import ends_of
from sim.quality.finding import Finding, statistical, unmeasured

_MOST_STEPS = 1_000_000
_MOST_MEMBERS = 100_000_000
_FEWEST = 20
_LONGEST = 0.8
"""Journeys may take this share of half the run: longer ones would be cut off where nobody could tell."""


@dataclass(frozen=True, slots=True)
class Journeys:
    """Journeys that are over: whether each converted, bool[n], and came through touchpoints before, bool[n, steps].

    `part` is the place, among the truths, of the one that holds for it.
    """

    converted: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    part: Indices


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every process that has conversions."""
    for flow in (flow for flow in model.flows if flow.conversions):
        try:
            truths = _truths(model, flow)
            journeys = _journeys(facts, model, flow, truths)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "attribution", flow.name, str(why))
            continue
        yield from _conversions(flow, truths, journeys)
        yield from _credits(flow, truths, journeys)


def _truths(model: Model, flow: Flow) -> tuple[Truth, ...]:
    """The truths that hold for single journeys: by segment, where these make a difference."""
    if not exact(model, flow):
        raise NotMeasurable("chances change with time, age, incidents or too much of the history")
    try:
        whole, *parts = truths_of(model, flow)
    except ParameterError as error:
        raise NotMeasurable(str(error)) from None
    return tuple(parts) or (whole,)


def _journeys(facts: Facts, model: Model, flow: Flow, truths: tuple[Truth, ...]) -> Journeys:
    require(facts, flow.name)
    share_of_cases = min(1.0, _MOST_STEPS / max(count(facts, flow.name), 1))
    kind, case = quoted(f"{model.populations[flow.population].name}_id"), quoted(f"{flow.name}_case_id")
    goal = f"list_contains([{', '.join(map(str, flow.conversions))}], code)"
    through = "".join(
        f", max((code = {step} AND step_index < coalesce(goal, 0))::INT)::BIGINT AS {quoted(f'step {step}')}"
        for step in touchpoints(flow)
    )
    own, begun, ended, reached, *touched = columns(
        facts,
        f"WITH steps AS (SELECT {case} AS which, {kind}::BIGINT AS who, {instant('event_time')} AS happened,"
        f" step_index, {code('step', flow.steps)} AS code FROM {quoted(flow.name)}"
        f" WHERE {chosen(f'{flow.name}_case_id', share_of_cases)}), known AS (SELECT *, min(step_index)"
        f" FILTER (WHERE {goal}) OVER (PARTITION BY which) AS goal FROM steps)"
        " SELECT any_value(who) AS own, min(happened) AS begun, max(happened) AS ended,"
        " coalesce(any_value(goal), -1) AS reached"
        f"{through} FROM known GROUP BY which ORDER BY which",
    )
    over = _over(facts, model, flow, own, begun, ended)
    part = _parts(facts, model, flow, truths, own[over])
    return Journeys(reached[over] >= 0, np.stack(touched, axis=1)[over] > 0, part)


def _over(facts: Facts, model: Model, flow: Flow, own: Indices, begun: Times, ended: Times) -> NDArray[np.bool_]:
    """Which journeys began so early that they must be over, by how long those of the first half of the run took."""
    population = model.populations[flow.population]
    machines = [one.machine for one in model.lineage(population) if one.machine is not None]
    if any(m.cut[e.to] and e.trigger is not None for m in machines for exits in m.exits for e in exits):
        raise NotMeasurable("facts lead to states that cut journeys off")
    half = (model.end - model.start) // 2
    ends = ends_of(facts, model, population, own)
    longest = int((ended - begun)[begun < model.start + half].max(initial=0))
    if longest > _LONGEST * half:
        raise NotMeasurable("journeys take too long for the run to see them all through")
    return np.asarray(begun + longest < ends, dtype=np.bool_)


def _parts(facts: Facts, model: Model, flow: Flow, truths: tuple[Truth, ...], own: Indices) -> Indices:
    """Which truth holds for the journeys of each entity."""
    if len(truths) == 1:
        return np.zeros(len(own), dtype=np.int64)
    population = model.populations[flow.population]
    members = members_of(facts, model, population, _MOST_MEMBERS)
    rows = members.rows(own)
    part = np.full(len(own), -1)
    for place, truth in enumerate(truths):
        here = rows >= 0
        for segmentation, codes in zip(population.segmentations, members.segments, strict=True):
            if segmentation.name in truth.segment:
                here &= codes[rows] == segmentation.names.index(truth.segment[segmentation.name])
        part[here] = place
    if (part < 0).any():
        raise NotMeasurable("there are journeys of entities that are not known")
    return part


def _conversions(flow: Flow, truths: tuple[Truth, ...], journeys: Journeys) -> Iterator[Finding]:
    chance = np.array([truth.converting for truth in truths])[journeys.part]
    yield from share("conversions", flow.name, journeys.converted, chance, 0.0, "share of the journeys that convert")


def _credits(flow: Flow, truths: tuple[Truth, ...], journeys: Journeys) -> Iterator[Finding]:
    """Removal effects, and shares of the credit, by touchpoint."""
    touched, part = journeys.touched[journeys.converted], journeys.part[journeys.converted]
    effects = np.array([[touch.removal_effect for touch in truth.touches] for truth in truths])[part]
    if len(touched) < _FEWEST:
        yield unmeasured("behaviour", "removal_effects", flow.name, f"fewer than {_FEWEST} journeys convert")
        return
    for place, touch in enumerate(truths[0].touches):
        subject = f"{flow.name}: {touch.step}"
        detail = "share of the converting journeys that would be lost without it"
        chance = np.clip(effects[:, place], 0.0, 1.0)
        yield from share("removal_effects", subject, touched[:, place], np.round(chance, 12), 0.0, detail)
    for place, touch in enumerate(truths[0].touches):
        yield from _credit(f"{flow.name}: {touch.step}", place, touched.astype(np.float64), effects, part)


def _credit(subject: str, place: int, touched: Floats, effects: Floats, part: Indices) -> Iterator[Finding]:
    """The share of one touchpoint in the credit of all."""
    declared = float(effects[:, place].sum() / effects.sum())
    own, every = touched[:, place], touched.sum(axis=1)
    if min(own.sum(), every.sum() - own.sum()) < _FEWEST:
        yield unmeasured("behaviour", "attribution_shares", subject, "too few journeys convert through it or others")
        return
    rest = own - declared * every
    sizes = np.bincount(part)
    means = np.bincount(part, rest) / np.maximum(sizes, 1)
    error = float(np.sqrt(((rest - means[part]) ** 2).sum()))
    yield statistical(
        "behaviour",
        "attribution_shares",
        subject,
        float(2 * stats.norm.sf(abs(rest.sum()) / error)) if error > 0 else 1.0,
        estimate=float(own.sum() / every.sum()),
        low=float(own.sum() / every.sum() - Z * error / every.sum()),
        high=float(own.sum() / every.sum() + Z * error / every.sum()),
        declared=declared,
        detail=f"share of the credit for {len(own):,} converting journeys, by removal effects",
    )
