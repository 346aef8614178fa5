"""Schedules: facts happen when something is due and at no other time, as often as declared, as late as declared.

Every time that is due is a trial of its own, whose chance is the declared probability times the probability that the
jitter ends before the run does, and while a state lasts that allows the fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.maths.distributions import DurationDistribution
from sim.model.model import Activity, Flow, Model
from sim.quality.behaviours import grid
from sim.quality.behaviours.chances import even, share
from sim.quality.behaviours.intensity import last_before
from sim.quality.behaviours.members import Members, Stays, members_of, stays_of, track_of_states
from sim.quality.behaviours.rates import events_of, started
from sim.quality.behaviours.reading import MOST, Facts, Floats, Indices, NotMeasurable, Times, require, sums
from sim.quality.behaviours.survival import lengths, share_within
from sim.quality.behaviours.tables import cdf_of
from sim.quality.behaviours.walks import disturbed
from sim.quality.finding import Finding, exact, unmeasured
from sim.scenario.schedule import Schedule

_MOST_DUE = 400_000
_SURE = 1e-9
_ALMOST = 5e-3
"""Share of the jitter that may be longer than a period: then a few facts are taken for those of the next one."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is due: member and time, by both, int64[n], and the `chance` that the fact is seen, float64[n].

    `room` is how long after it the fact may still come in one go, 0 where it may not come at once.
    """

    member: Indices
    times: Times
    chance: Floats
    room: Times


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every stream on a schedule, and on every process whose cases start on one."""
    starts = [(flow.start, flow) for flow in model.flows if flow.start is not None]
    for activity, flow in [*((activity, None) for activity in model.activities), *starts]:
        if activity.schedule is None:
            continue
        try:
            yield from _measured(facts, model, activity, activity.schedule, flow)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "scheduled", activity.name, str(why))


def _measured(
    facts: Facts, model: Model, activity: Activity, schedule: Schedule, flow: Flow | None
) -> Iterator[Finding]:
    require(facts, activity.name)
    population = model.populations[activity.population]
    periods = max((model.end - model.start) // schedule.duration, 1)
    members = members_of(facts, model, population, int(np.clip(_MOST_DUE // periods, 20, MOST)))
    allowed = _allowed(facts, model, members, activity)
    jitter, name = schedule.jitter, activity.name
    due = _due(model, members, schedule, allowed, schedule.probability * started(flow))
    member, times = events_of(facts, members, activity, flow)
    outside = disturbed(facts, model, name)
    calm = np.ones(len(due.times), dtype=np.bool_) if outside is None else outside.number(due.times) < 0
    place = _place(due, member, times)
    late = np.where(place >= 0, times - due.times[np.maximum(place, 0)], 0)
    many = np.bincount(place[place >= 0], minlength=len(due.times))
    wrong = (place < 0) | (last_before(allowed, member, times) < 0)
    longer = 1 - float(_within(jitter, np.array([schedule.duration]))[0])
    if longer < _SURE:
        wrong |= _too_late(jitter, late)
    twice = int((many - 1).clip(0).sum()) if longer < _SURE else 0
    text = "facts at times at which nothing is due, or before it is"
    yield exact("behaviour", "off_schedule", name, int(wrong.sum()) + twice, text, of=len(times))
    happened = many[calm].astype(np.float64)
    text = "share of what is due that happens"
    yield from share("scheduled", name, happened, due.chance[calm], schedule.probability, text)
    edges = grid.periods(model.timeline, float(due.chance[calm].sum()))
    labels = grid.labels_of_periods(model.timeline, edges)
    period = np.searchsorted(edges, due.times[calm], side="right")
    yield from even("scheduled_time", name, labels, period, happened, due.chance[calm])
    if jitter is None or jitter.type == "constant":
        return
    if longer > _ALMOST:
        yield unmeasured("behaviour", "jitter", name, "jitter is longer than the period")
        return
    sound = (place >= 0) & ~wrong
    sound[sound] &= calm[place[sound]] & (late[sound] < due.room[place[sound]])
    yield from lengths(
        "jitter", name, jitter, late[sound].astype(np.float64), due.room[place[sound]].astype(np.float64)
    )


def _allowed(facts: Facts, model: Model, members: Members, activity: Activity) -> Stays:
    """Lives in sight, where the states allow a fact: what follows on each other is one stretch."""
    tracks = [track_of_states(facts, model, members, states.generation) for states in activity.states]
    stays = stays_of(members, tracks, model.start, model.end)
    free = np.ones(len(stays), dtype=np.bool_)
    for row, states in zip(stays.states, activity.states, strict=True):
        free &= states.factors[row] > 0
    stays = stays.take(np.flatnonzero(free))
    joined = np.append(False, (stays.member[1:] == stays.member[:-1]) & (stays.start[1:] == stays.until[:-1]))
    first = np.flatnonzero(~joined[: len(stays)])
    last = np.append(first[1:], len(stays)) - 1
    found = stays.take(first)
    # a fact that leads to another state has happened in the one before
    until = stays.until[last] + _leads(model, members, activity)
    return Stays(found.member, found.start, until, found.states, found.since)


def _leads(model: Model, members: Members, activity: Activity) -> bool:
    """Whether facts of a stream move those whose facts they are to other states."""
    machines = [one.machine for one in model.lineage(members.population) if one.machine is not None]
    ways = [exit_ for machine in machines for exits in machine.exits for exit_ in exits]
    return any(way.trigger is not None and way.trigger.source == activity.name for way in ways)


def _due(model: Model, members: Members, schedule: Schedule, allowed: Stays, probability: float) -> Due:
    """All times that are due to members within the run."""
    if schedule.anchor == "birth":
        origin, period = members.births + schedule.offset, schedule.duration
        first = np.maximum(-((origin - model.start) // period), 1)
        many = np.maximum(-((origin - model.end) // period), 1) - first
        member = np.repeat(np.arange(len(members)), many)
        rank = np.arange(len(member)) - np.repeat(np.cumsum(many) - many, many)
        times = origin[member] + (first[member] + rank) * period
    else:
        known = schedule.boundaries(model.start, model.end, model.timeline)
        first = np.searchsorted(known, members.births, side="left")
        many = len(known) - first
        member = np.repeat(np.arange(len(members)), many)
        rank = np.arange(len(member)) - np.repeat(np.cumsum(many) - many, many)
        times = known[first[member] + rank]
    chance, room = _chances(schedule.jitter, allowed, len(members), member, times)
    return Due(member, times, probability * chance, room)


def _chances(
    jitter: DurationDistribution | None, allowed: Stays, size: int, member: Indices, times: Times
) -> tuple[Floats, Times]:
    """The probability that what is due comes while it is allowed, and how long it may come without a pause."""
    many = np.bincount(allowed.member, minlength=size)
    first = np.cumsum(many) - many
    row = np.repeat(np.arange(len(member)), many[member])
    which = np.arange(len(row)) - np.repeat(np.cumsum(many[member]) - many[member], many[member]) + first[member[row]]
    until = allowed.until[which] - times[row]
    some = np.flatnonzero(until > 0)
    row, until, since = row[some], until[some], (allowed.start[which] - times[row])[some]
    mass = _within(jitter, until) - np.where(since > 0, _within(jitter, since), 0.0)
    room = np.zeros(len(member), dtype=np.int64)
    room[row[since <= 0]] = until[since <= 0]
    return np.minimum(sums(row, mass, len(member)), 1.0), room


def _within(jitter: DurationDistribution | None, times: Times) -> Floats:
    """The probability that a fact is less late than each of `times`, float64[n]."""
    if jitter is None:
        return (times > 0).astype(np.float64)
    return share_within(jitter, times.astype(np.float64) - 1)


def _too_late(jitter: DurationDistribution | None, late: Times) -> NDArray[np.bool_]:
    """Which facts came later than any jitter."""
    if jitter is None:
        return late > 0
    return cdf_of(jitter, late.astype(np.float64) - 1) >= 1


def _place(due: Due, member: Indices, times: Times) -> Indices:
    """What was last due before each fact, -1 where nothing was: int64[n]."""
    new = np.append(due.member[1:] != due.member[:-1], True)[: len(due.times)]
    until = np.where(new, np.iinfo(np.int64).max, np.append(due.times[1:], 0)[: len(due.times)])
    nothing = np.zeros((0, len(due.times)), dtype=np.int64)
    return last_before(Stays(due.member, due.times, until, nothing, due.times), member, times)
