"""The steps of cases as the facts tell of them: where each case went next, and everything that could matter for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.maths.spans import Spans
from sim.model.model import BranchFactors, Flow, Model, Population
from sim.quality.behaviours.disturbed import spans_of, union
from sim.quality.behaviours.members import Members, members_of
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

NOWHERE = -1
_MOST_STEPS = 600_000
_MOST_MEMBERS = 100_000_000


@dataclass(frozen=True, slots=True)
class Walks:
    """Steps of cases, by case and index: arrays of one element a step.

    `left` is when the case was free to go on (-1: it was not, before the run ended), `horizon` the time from then until
    nothing more would be seen of it, `following` the next step (`NOWHERE`: none) and `later` the time to it. `visits`
    [n, k] says how often the case has been at each counted step, this visit included. `calm` are steps that no incident
    touches.
    """

    members: Members | None
    member: Indices
    steps: Indices
    index: Indices
    times: Times
    left: Times
    horizon: Times
    following: Indices
    later: Times
    visits: Indices
    calm: np.ndarray

    def factors(self, factors: BranchFactors, rows: Indices) -> Floats:
        """What segments, age and time multiply by, at steps: float64[rows]."""
        product = np.ones(len(rows))
        member, times = self.member[rows], self.left[rows]
        if self.members is not None:
            for by_segment, codes in zip(factors.segments, self.members.segments, strict=True):
                product *= by_segment[codes[member]]
            if factors.vintage is not None:
                product *= factors.vintage.at(np.maximum(times - self.members.births[member], 0))
        if factors.curve is not None:
            product *= factors.curve.at(times)
        return product


def walks_of(facts: Facts, model: Model, flow: Flow) -> Walks:
    """The steps of a sample of cases of a process. Raises NotMeasurable."""
    require(facts, flow.name)
    share = min(1.0, _MOST_STEPS / max(count(facts, flow.name), 1))
    kind = model.populations[flow.population].name
    case = f"{flow.name}_case_id"
    cases, ids, steps, index, times = columns(
        facts,
        f"SELECT {quoted(case)}::BIGINT AS a, {quoted(kind + '_id')}::BIGINT AS b, {code('step', flow.steps)} AS c,"
        f" step_index::BIGINT AS d, {instant('event_time')} AS e FROM {quoted(flow.name)}"
        f" WHERE {chosen(case, share)} ORDER BY 1, 4",
    )
    if not len(cases):
        raise NotMeasurable("there is no case")
    members = _members(facts, model, flow)
    member = np.zeros(len(ids), dtype=np.int64) if members is None else members.rows(ids)
    if (member < 0).any() or (steps < 0).any():
        raise NotMeasurable("there are steps of entities, or with names, that are not known")
    left = np.where(np.isin(steps, list(queues(flow))), _left(facts, flow, case, cases, index, times), times)
    same = np.append(cases[1:] == cases[:-1], False)
    following = np.where(same, np.append(steps[1:], NOWHERE), NOWHERE)
    later = np.where(same, np.append(times[1:], 0) - left, 0)
    outside = disturbed(facts, model, flow.name)
    calm = np.ones(len(times), dtype=np.bool_) if outside is None else _clear(outside, times, left)
    ends = ends_of(facts, model, model.populations[flow.population], ids)
    horizon = np.minimum(ends, model.end) - left
    visits = _visits(flow, cases, steps)
    return Walks(members, member, steps, index, times, left, horizon, following, later, visits, calm & (left >= 0))


def _members(facts: Facts, model: Model, flow: Flow) -> Members | None:
    """The entities, where anything depends on who they are."""
    plain = all(
        part.vintage is None and all(bool(np.all(factors == 1.0)) for factors in part.segments)
        for branches in flow.branches
        for branch in branches
        for part in (branch.probabilities, branch.delays)
    )
    return None if plain else members_of(facts, model, model.populations[flow.population], _MOST_MEMBERS)


def _left(facts: Facts, flow: Flow, case: str, cases: Indices, index: Indices, times: Times) -> Times:
    """When cases were free to go on: after the visit to a resource that was served, where the step has one."""
    queueing = any(service is not None and service.resource >= 0 for service in flow.services)
    if not queueing:
        return times
    visits = f"{flow.name}_service"
    require(facts, visits)
    who, which, when = columns(
        facts,
        f"SELECT {quoted(case)}::BIGINT AS a, step_index::BIGINT AS b, {instant('event_time')} AS c FROM"
        f" {quoted(visits)} WHERE outcome::VARCHAR = 'served' ORDER BY 1, 2",
    )
    place = np.full(len(cases), -1)
    most = int(max(index.max(initial=0), which.max(initial=0))) + 1
    ranks = np.unique(np.concatenate([cases, who]), return_inverse=True)[1]
    own, known = ranks[: len(cases)] * most + index, ranks[len(cases) :] * most + which
    if len(known):
        found = np.minimum(np.searchsorted(known, own), len(known) - 1)
        place = np.where(known[found] == own, found, -1)
    return np.where(place >= 0, when[np.maximum(place, 0)] if len(when) else -1, -1)


def queues(flow: Flow) -> set[int]:
    """The steps at which cases queue for a resource."""
    return {step for step, service in enumerate(flow.services) if service is not None and service.resource >= 0}


def disturbed(facts: Facts, model: Model, stream: str) -> Spans | None:
    """Times in which an incident changes probabilities or delays. Raises NotMeasurable where it befalls entities."""
    spans = []
    for hit in model.disturbances.of(stream):
        incident = model.disturbances.incidents[hit.incident]
        if incident.single or (hit.probability == 1.0 and hit.delay == 1.0):
            continue
        if incident.population >= 0:
            raise NotMeasurable(f"the incident {incident.name!r} changes it for some entities")
        spans.append(spans_of(facts, incident))
    return union(spans)


def _clear(outside: Spans, times: Times, left: Times) -> np.ndarray:
    return (outside.number(times) < 0) & (outside.number(np.maximum(left, 0)) < 0)


def ends_of(facts: Facts, model: Model, population: Population, ids: Indices) -> Times:
    """When everything that is under way for entities ends: in a state that cuts, or with the run."""
    line = model.lineage(population)
    cutting = [place for place, one in enumerate(line) if one.machine is not None and one.machine.cut.any()]
    never = np.full(len(ids), model.end)
    if not cutting:
        return never
    if cutting != [0] or line[0].machine is None:
        raise NotMeasurable("it is cut off by states of what the entity belongs to")
    kind, machine = line[0].name, line[0].machine
    require(facts, f"{kind}_lifecycle")
    over = [state for state, cut in zip(machine.states, machine.cut.tolist(), strict=True) if cut]
    who, when = columns(
        facts,
        f"SELECT {quoted(kind + '_id')}::BIGINT, min({instant('event_time')}) FROM {quoted(kind + '_lifecycle')}"
        f" WHERE {code('to_state', over)} >= 0 GROUP BY 1 ORDER BY 1",
    )
    if not len(who):
        return never
    place = np.minimum(np.searchsorted(who, ids), len(who) - 1)
    return np.where(who[place] == ids, when[place], model.end)


def _visits(flow: Flow, cases: Indices, steps: Indices) -> Indices:
    """How often each case has been at each counted step, [n, k]."""
    first = np.flatnonzero(np.append(True, cases[1:] != cases[:-1]))
    case = np.cumsum(np.append(True, cases[1:] != cases[:-1])) - 1
    here = (steps[:, None] == np.array(flow.counted, dtype=np.int64)).astype(np.int64)
    passed = np.cumsum(here, axis=0)
    before = passed[first] - here[first]
    return np.asarray(passed - before[case], dtype=np.int64)
