"""Changes of state: the hazard or dwell time of every exit, and what segments, age, time and waiting multiply it by.

The exits of a state compete; each has a cause-specific hazard, so that those that leave by another, and those that are
still there when the run ends, are censored (Andersen, Borgan, Gill and Keiding 1993). The ratio of the observed number
of transitions to the Nelson-Aalen-type integral of the declared hazard estimates what the hazard is multiplied by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.maths.ages import AgeCurve
from sim.maths.curves import BoundCurve, product_of
from sim.maths.distributions import DurationDistribution
from sim.maths.hazards import Hazard
from sim.maths.units import DAY, format_duration
from sim.model.model import Exit, Machine, Model, Population
from sim.quality.behaviours import grid
from sim.quality.behaviours.disturbed import Disturbance, disturbance_of
from sim.quality.behaviours.factors import Factor, Judge, Level
from sim.quality.behaviours.intensity import Declared, Groups
from sim.quality.behaviours.members import Members, Stays, members_of, stays_of, track_of_states
from sim.quality.behaviours.rates import counting, oldest_of
from sim.quality.behaviours.reading import (
    Facts,
    Floats,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    code,
    columns,
    instant,
    quoted,
)
from sim.quality.behaviours.sheet import sheet_of
from sim.quality.behaviours.survival import dwelling_times
from sim.quality.behaviours.tables import AgeTable, Base, Dwelling, TimeTable
from sim.quality.finding import Finding, exact, unmeasured

_ROUNDING = 1e-3
"""Seconds by which a time in a state may be off."""


@dataclass(frozen=True, slots=True)
class Way:
    """The exits of a state that facts cannot tell apart: same target and reason."""

    source: int
    to: int
    reason: int
    exits: tuple[Exit, ...]


@dataclass(frozen=True, slots=True)
class Lives:
    """The lives of a population's members, and their transitions: member, time, from, to and reason."""

    members: Members
    stays: Stays
    disturbance: Disturbance
    changes: tuple[Indices, Times, Indices, Indices, Indices]


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every exit of every lifecycle."""
    for population in model.populations:
        if population.machine is None:
            continue
        try:
            lives = _lives(facts, model, population, population.machine)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "hazard", f"{population.name}_lifecycle", str(why))
            continue
        for way in ways_of(population.machine):
            yield from _of_way(facts, model, population, population.machine, lives, way)


def ways_of(machine: Machine) -> list[Way]:
    """The ways out of all states, those that facts cannot tell apart together."""
    found: dict[tuple[int, int, int], list[Exit]] = {}
    for source, exits in enumerate(machine.exits):
        for exit_ in exits:
            found.setdefault((source, exit_.to, exit_.reason), []).append(exit_)
    return [Way(*key, tuple(exits)) for key, exits in found.items()]


def name_of(population: Population, machine: Machine, way: Way) -> str:
    """A way in words: `customer: active to churned (price)`."""
    reason = machine.reasons[way.reason]
    told = f" ({reason})" if reason else ""
    return f"{population.name}: {machine.states[way.source]} to {machine.states[way.to]}{told}"


def _lives(facts: Facts, model: Model, population: Population, machine: Machine) -> Lives:
    members = members_of(facts, model, population)
    stream = f"{population.name}_lifecycle"
    disturbance = disturbance_of(facts, model, members, stream)
    track = track_of_states(facts, model, members, 0)
    stays = stays_of(members, [track, *disturbance.tracks], model.start, model.end)
    kind = f"{population.name}_id"
    ids, times, source, to, reason = columns(
        facts,
        f"SELECT {quoted(kind)}::BIGINT AS who, {instant('event_time')} AS at,"
        f" {code('from_state', machine.states)} AS a, {code('to_state', machine.states)} AS b,"
        f" {code('reason', machine.reasons)} AS c FROM {quoted(stream)}"
        f" WHERE {chosen(kind, members.share)}",
    )
    rows = members.rows(ids)
    there = rows >= 0
    return Lives(members, stays, disturbance, (rows[there], times[there], source[there], to[there], reason[there]))


def _of_way(
    facts: Facts, model: Model, population: Population, machine: Machine, lives: Lives, way: Way
) -> Iterator[Finding]:
    subject = name_of(population, machine, way)
    try:
        if any(exit_.trigger is not None for exit_ in way.exits):
            raise NotMeasurable("it follows from facts")
        if any(exit_.hazard is not None for exit_ in way.exits):
            yield from _of_hazard(model, population, lives, way, subject)
        else:
            yield from _of_dwell(facts, model, machine, lives, way, subject)
    except NotMeasurable as why:
        yield unmeasured("behaviour", "hazard", subject, str(why))


def _of_hazard(model: Model, population: Population, lives: Lives, way: Way, subject: str) -> Iterator[Finding]:
    if len(way.exits) > 1:
        raise NotMeasurable("several exits have the same target and reason")
    (exit_,) = way.exits
    assert exit_.hazard is not None
    hazard: Hazard = exit_.hazard
    entities = np.ones(len(lives.members))
    for factors, codes in zip(exit_.segments, lives.members.segments, strict=True):
        entities *= factors[codes]
    curve = product_of([] if exit_.curve is None else [exit_.curve])
    segments = [
        Factor("hazard_segments", segmentation.names, factors)
        for segmentation, factors in zip(population.segmentations, exit_.segments, strict=True)
    ]
    level = Level("hazard", 1.0, "measured / declared")
    if hazard.type == "exponential":
        level = Level("hazard", hazard.rate * DAY, "transitions per day of an entity at risk where all factors are 1")
    yield from _judged(model, lives, way, subject, Base(hazard), entities, exit_.vintages, curve, segments, level)


def _of_dwell(facts: Facts, model: Model, machine: Machine, lives: Lives, way: Way, subject: str) -> Iterator[Finding]:
    exits = [exit_ for exit_ in machine.exits[way.source] if exit_.after is not None]
    ways: list[tuple[float, DurationDistribution]] = []
    which = []
    for place, exit_ in enumerate(exits):
        assert exit_.after is not None
        ways.append((exit_.probability, exit_.after))
        if exit_ in way.exits:
            which.append(place)
    if all(exit_.after is not None and exit_.after.type == "constant" for exit_ in way.exits):
        yield _of_constant(facts, machine, lives, way, subject)
    if any(after.type == "constant" for _, after in ways):
        raise NotMeasurable("a constant time in a state has no hazard")
    base = Dwelling(ways, which, model.end - model.start)
    level = Level("dwell", 1.0, "transitions measured / declared, of those at risk")
    plain = product_of([])
    ones = np.ones(len(lives.members))
    segments = [
        Factor("hazard_segments", s.names, np.ones(len(s.names))) for s in lives.members.population.segmentations
    ]
    yield from _judged(model, lives, way, subject, base, ones, (), plain, segments, level)
    alone = all(exit_.after is not None for exit_ in machine.exits[way.source])
    if alone and len(which) == 1:
        length = ways[which[0]][1]
        yield from dwelling_times(
            lives.stays, way.source, lives.changes, way.to, way.reason, length, model.end, subject
        )


def _of_constant(facts: Facts, machine: Machine, lives: Lives, way: Way, subject: str) -> Finding:
    """Whether all who left one way left after the same time."""
    lengths = sorted({exit_.after.mean() / 1e6 for exit_ in way.exits if exit_.after is not None})
    near = " OR ".join(f"abs(seconds_in_state - {length!r}) < {_ROUNDING}" for length in lengths)
    others, total = columns(
        facts,
        f"SELECT count(*) FILTER (NOT ({near})), count(*) FROM"
        f" {quoted(lives.members.population.name + '_lifecycle')}"
        f" WHERE {code('from_state', machine.states)} = {way.source} AND {code('to_state', machine.states)} = {way.to}"
        f" AND {code('reason', machine.reasons)} = {way.reason}",
    )
    text = f"left after another time than {', '.join(format_duration(int(length * 1e6)) for length in lengths)}"
    return exact("behaviour", "dwell_time", subject, int(others[0]), text, of=int(total[0]))


def _judged(
    model: Model,
    lives: Lives,
    way: Way,
    subject: str,
    base: Base,
    entities: Floats,
    vintages: tuple[AgeCurve, ...],
    curve: BoundCurve,
    segments: list[Factor],
    level: Level,
) -> Iterator[Finding]:
    member, times, source, to, reason = lives.changes
    here = (source == way.source) & (to == way.to) & (reason == way.reason)
    stays, events = counting(lives.stays, (member[here], times[here]), lives.disturbance, leaving=True)
    at_risk = stays.states[0] == way.source
    if not base.even:
        stays, events = _known(stays, events, at_risk)
    else:
        stays = stays.take(np.flatnonzero(at_risk))
    if not len(stays):
        raise NotMeasurable("nobody is in the state, from a known time on")
    number = len(events[0])
    declared = Declared(
        entities=entities,
        states=(np.ones(int(stays.states[0].max()) + 1), *(np.nan_to_num(f) for f in lives.disturbance.factors)),
        ages=AgeTable(vintages, oldest_of(lives.members, model.end)),
        times=TimeTable(lives.disturbance.curve(curve), model.start, model.end),
        base=base,
    )
    segmentations = lives.members.population.segmentations
    groups = Groups(
        members=tuple((s.name, s.names, c) for s, c in zip(segmentations, lives.members.segments, strict=True)),
        times=grid.periods(model.timeline, number),
        ages=grid.bands(stays, lives.members.births[stays.member], number),
        dwell=grid.bands(stays, stays.since, number) if (stays.since >= 0).all() else np.empty(0, dtype=np.int64),
    )
    hours = grid.hours(model.timeline)
    sheet = sheet_of(lives.members, stays, declared, groups, events, hours, lives.disturbance.outside, leaving=True)
    factors = {name: factor for (name, _, _), factor in zip(groups.members, segments, strict=True)}
    waiting = Factor("hazard_waiting", grid.labels_of_bands(groups.dwell), reference=0)
    factors |= {} if base.even else {"dwell": waiting}
    factors["time"] = Factor("hazard_time", grid.labels_of_periods(model.timeline, groups.times), reference=0)
    factors["age"] = Factor("hazard_ages", grid.labels_of_bands(groups.ages), reference=0)
    factors.setdefault("dwell", waiting)
    yield from Judge(subject, sheet, factors, level).findings()


def _known(stays: Stays, events: tuple[Indices, Times], at_risk: np.ndarray) -> tuple[Stays, tuple[Indices, Times]]:
    """The stays at risk whose beginning is known, and the events that end them."""
    known = stays.take(np.flatnonzero(at_risk & (stays.since >= 0)))
    unknown = stays.take(np.flatnonzero(at_risk & (stays.since < 0)))
    ends = set_of(unknown.member, unknown.until)
    kept = ~np.isin(set_of(*events), ends)
    return known, (events[0][kept], events[1][kept])


def set_of(member: Indices, times: Times) -> np.ndarray:
    """Pairs as single values that can be compared."""
    return np.stack([member, times], axis=1).copy().view([("member", np.int64), ("time", np.int64)]).ravel()
