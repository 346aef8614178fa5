"""Changes of state: the hazard or dwell time of every exit, and what segments, age, time and waiting multiply it by.

The exits of a state compete; each has a cause-specific hazard, so that those that leave by another, and those that are
still there when the run ends, are censored (Andersen, Borgan, Gill and Keiding 1993). The ratio of the observed number
of transitions to the Nelson-Aalen-type integral of the declared hazard estimates what the hazard is multiplied by.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.maths.hazards import Hazard
from sim.maths.units import DAY, format_duration
from sim.model.model import Machine, Model, Population
from sim.quality.behaviours import grid
from sim.quality.behaviours.exits import (
    Leaving,
    Lives,
    Way,
    by_dwell,
    by_hazard,
    lengths_of,
    lives_of,
    name_of,
    ways_of,
)
from sim.quality.behaviours.factors import Factor, Judge, Level
from sim.quality.behaviours.intensity import Groups
from sim.quality.behaviours.members import Stays
from sim.quality.behaviours.rates import counting
from sim.quality.behaviours.reading import Facts, Indices, NotMeasurable, Times, code, columns, quoted
from sim.quality.behaviours.sheet import sheet_of
from sim.quality.behaviours.survival import dwelling_times
from sim.quality.finding import Finding, exact, unmeasured

_ROUNDING = 1e-3
"""Seconds by which a time in a state may be off."""


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every exit of every lifecycle."""
    for population in model.populations:
        if population.machine is None:
            continue
        try:
            lives = lives_of(facts, model, population, population.machine)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "hazard", f"{population.name}_lifecycle", str(why))
            continue
        for way in ways_of(population.machine):
            if any(exit_.trigger is None for exit_ in way.exits):
                yield from _of_way(facts, model, population, population.machine, lives, way)


def _of_way(
    facts: Facts, model: Model, population: Population, machine: Machine, lives: Lives, way: Way
) -> Iterator[Finding]:
    subject = name_of(population, machine, way)
    try:
        if any(exit_.trigger is not None for exit_ in way.exits):
            raise NotMeasurable("in part it follows from facts")
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
    segments = [
        Factor("hazard_segments", segmentation.names, factors)
        for segmentation, factors in zip(population.segmentations, exit_.segments, strict=True)
    ]
    level = Level("hazard", 1.0, "measured / declared")
    if hazard.type == "exponential":
        level = Level("hazard", hazard.rate * DAY, "transitions per day of an entity at risk where all factors are 1")
    yield from _judged(model, lives, way, subject, by_hazard(lives, exit_), segments, level)


def _of_dwell(facts: Facts, model: Model, machine: Machine, lives: Lives, way: Way, subject: str) -> Iterator[Finding]:
    exits = [exit_ for exit_ in machine.exits[way.source] if exit_.after is not None]
    which = [place for place, exit_ in enumerate(exits) if exit_ in way.exits]
    if all(exit_.after is not None and exit_.after.type == "constant" for exit_ in way.exits):
        yield _of_constant(facts, machine, lives, way, subject)
    leaving = by_dwell(model, lives, machine.exits[way.source], which)
    level = Level("dwell", 1.0, "transitions measured / declared, of those at risk")
    segments = [
        Factor("hazard_segments", s.names, np.ones(len(s.names))) for s in lives.members.population.segmentations
    ]
    yield from _judged(model, lives, way, subject, leaving, segments, level)
    alone = all(exit_.after is not None for exit_ in machine.exits[way.source])
    if alone and len(which) == 1:
        length = lengths_of(machine.exits[way.source])[which[0]][1]
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
    leaving: Leaving,
    segments: list[Factor],
    level: Level,
) -> Iterator[Finding]:
    member, times, source, to, reason = lives.changes
    here = (source == way.source) & (to == way.to) & (reason == way.reason)
    stays, events = counting(lives.stays, (member[here], times[here]), lives.disturbance, leaving=True)
    at_risk = stays.states[0] == way.source
    if not leaving.base.even:
        stays, events = known(stays, events, at_risk)
    else:
        stays = stays.take(np.flatnonzero(at_risk))
    if not len(stays):
        raise NotMeasurable("nobody is in the state, from a known time on")
    number = len(events[0])
    declared = leaving.declared(model, lives, int(stays.states[0].max()) + 1)
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
    factors |= {} if leaving.base.even else {"dwell": waiting}
    factors["time"] = Factor("hazard_time", grid.labels_of_periods(model.timeline, groups.times), reference=0)
    factors["age"] = Factor("hazard_ages", grid.labels_of_bands(groups.ages), reference=0)
    factors.setdefault("dwell", waiting)
    yield from Judge(subject, sheet, factors, level).findings()


def known(stays: Stays, events: tuple[Indices, Times], at_risk: np.ndarray) -> tuple[Stays, tuple[Indices, Times]]:
    """The stays at risk whose beginning is known, and the events that end them."""
    known = stays.take(np.flatnonzero(at_risk & (stays.since >= 0)))
    unknown = stays.take(np.flatnonzero(at_risk & (stays.since < 0)))
    ends = set_of(unknown.member, unknown.until)
    kept = ~np.isin(set_of(*events), ends)
    return known, (events[0][kept], events[1][kept])


def set_of(member: Indices, times: Times) -> np.ndarray:
    """Pairs as single values that can be compared."""
    return np.stack([member, times], axis=1).copy().view([("member", np.int64), ("time", np.int64)]).ravel()
