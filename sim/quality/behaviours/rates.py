"""What entities do at a rate: the level, and the factors of segments, states, age, cohorts, trend and season."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.maths.units import DAY
from sim.model.model import Activity, Flow, Model, Population, Profile
from sim.quality.behaviours import grid
from sim.quality.behaviours.disturbed import Disturbance, disturbance_of
from sim.quality.behaviours.factors import Factor, Judge, Level, slope
from sim.quality.behaviours.intensity import Declared, Groups, last_before
from sim.quality.behaviours.members import Members, Stays, Track, members_of, stays_of, track_of_states
from sim.quality.behaviours.reading import (
    MOST,
    Facts,
    Floats,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    columns,
    instant,
    quoted,
    require,
)
from sim.quality.behaviours.seasons import seasons
from sim.quality.behaviours.sheet import Sheet, sheet_of
from sim.quality.behaviours.spells import factors_of_incidents
from sim.quality.behaviours.tables import AgeTable, TimeTable
from sim.quality.finding import Finding, unmeasured
from sim.scenario.frailty import Frailty

_MOST_PIECES = 6_000_000


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every stream and every process that starts at a rate."""
    starts = [(flow.start, flow) for flow in model.flows if flow.start is not None]
    for activity, flow in [*((activity, None) for activity in model.activities), *starts]:
        if activity.schedule is not None:
            continue
        try:
            yield from _measured(facts, model, activity, flow)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "rate", activity.name, str(why))


def variance_of(frailty: Frailty | None) -> float:
    """The variance of a frailty, whose mean is 1."""
    if frailty is None:
        return 0.0
    return 1 / frailty.shape if frailty.type == "gamma" else float(np.expm1(frailty.sigma**2))


def oldest_of(members: Members, end: int) -> int:
    """The highest age that is reached before `end`, microseconds."""
    return int(end - members.births.min()) if len(members) else 1


def _measured(facts: Facts, model: Model, activity: Activity, flow: Flow | None) -> Iterator[Finding]:
    require(facts, activity.name)
    population = model.populations[activity.population]
    profile = population.profiles[activity.profile]
    vintages = () if profile.vintage is None else (profile.vintage,)
    cuts = len(AgeTable(vintages, 100 * 366 * DAY).cuts)
    members = members_of(facts, model, population, min(max(_MOST_PIECES // (cuts + 40), 1000), MOST))
    disturbance = disturbance_of(facts, model, members, activity.name)
    tracks = [track_of_states(facts, model, members, states.generation) for states in profile.states]
    stays = stays_of(members, [*tracks, *disturbance.tracks], model.start, model.end)
    declared = Declared(
        entities=activity.rate * started(flow) * _paces(members, profile),
        states=(*(states.factors for states in profile.states), *(np.nan_to_num(f) for f in disturbance.factors)),
        ages=AgeTable(vintages, oldest_of(members, model.end)),
        times=TimeTable(disturbance.curve(activity.curve), model.start, model.end),
        variance=variance_of(population.frailty) if profile.frail else 0.0,
    )
    # a fact that leads to another state has happened in the one before
    stays, events = counting(stays, events_of(facts, members, activity, flow), disturbance, leaving=True)
    groups = _groups(model, members, stays, [*tracks, *disturbance.tracks], len(events[0]))
    hours = grid.hours(model.timeline)
    sheet = sheet_of(members, stays, declared, groups, events, hours, disturbance.outside, leaving=True)
    segments = [
        Factor("segments", segmentation.names, factors)
        for segmentation, factors in zip(population.segmentations, profile.segments, strict=True)
    ]
    free = _selected(model, population, tracks) if profile.frail else {}
    yield from judged(activity.name, model, sheet, groups, segments, declared.states, activity.rate, free)
    lives = (members, stays, declared, events)
    yield from factors_of_incidents(facts, model, activity.name, activity.curve, lives, sheet)


def _paces(members: Members, profile: Profile) -> Floats:
    """What segments and the time of birth multiply by, float64[members]."""
    paces = np.ones(len(members))
    for factors, codes in zip(profile.segments, members.segments, strict=True):
        paces *= factors[codes]
    return paces if profile.cohort is None else paces * profile.cohort.at(members.births)


def _selected(model: Model, population: Population, tracks: list[Track]) -> dict[str, str]:
    """The states that entities come into because of what they do: among them are those who do more, unobserved."""
    line = model.lineage(population) if population.frailty is not None else []
    moved = any(
        exit_.trigger is not None
        for ancestor in line
        if ancestor.machine is not None
        for exits in ancestor.machine.exits
        for exit_ in exits
    )
    text = "facts lead into the states, so that the more active entities are in them, by their frailty"
    return {track.name: text for track in tracks} if moved else {}


def started(flow: Flow | None) -> float:
    """The probability that a start of a process gives a case."""
    if flow is None:
        return 1.0
    return 1.0 - float(flow.count.cdf(np.array([0]))[0])


def events_of(facts: Facts, members: Members, activity: Activity, flow: Flow | None) -> tuple[Indices, Times]:
    """The events as (member, time): facts of the stream, or the starts of cases."""
    kind = f"{members.population.name}_id"
    first = "" if flow is None else " AND step_index = 0"
    distinct = "DISTINCT " if flow is not None else ""
    ids, times = columns(
        facts,
        f"SELECT {distinct}{quoted(kind)}::BIGINT AS who, {instant('event_time')} AS at FROM {quoted(activity.name)}"
        f" WHERE {chosen(kind, members.share)}{first}",
    )
    rows = members.rows(ids)
    return rows[rows >= 0], times[rows >= 0]


def counting(
    stays: Stays, events: tuple[Indices, Times], disturbance: Disturbance, leaving: bool = False
) -> tuple[Stays, tuple[Indices, Times]]:
    """The stays and events that count; `leaving` says that an event ends the stay that it belongs to."""
    muted = disturbance.muted(stays)
    if not muted.any():
        return stays, events
    stay = last_before(stays, events[0], events[1] - leaving)
    kept = ~muted[np.maximum(stay, 0)] | (stay < 0)
    return stays.take(np.flatnonzero(~muted)), (events[0][kept], events[1][kept])


def _groups(model: Model, members: Members, stays: Stays, tracks: list[Track], events: int) -> Groups:
    segmentations = members.population.segmentations
    own = [(s.name, s.names, codes) for s, codes in zip(segmentations, members.segments, strict=True)]
    own.append(("cohort", *grid.cohorts(members)))
    return Groups(
        members=tuple(own),
        tracks=tuple((track.name, track.levels) for track in tracks),
        times=grid.periods(model.timeline, events),
        ages=grid.bands(stays, members.births[stays.member], events),
    )


def judged(
    subject: str,
    model: Model,
    sheet: Sheet,
    groups: Groups,
    segments: list[Factor],
    states: tuple[Floats, ...],
    rate: float,
    free: dict[str, str],
) -> Iterator[Finding]:
    """The findings on the sheet of an activity."""
    factors = {name: factor for (name, _, _), factor in zip(groups.members, segments, strict=False)}
    for (name, levels), known in zip(groups.tracks, states, strict=True):
        factors[name] = Factor("incident_factor" if name.startswith("incident ") else "states", levels, known)
    factors["time"] = Factor("time", grid.labels_of_periods(model.timeline, groups.times), reference=0)
    factors["age"] = Factor("ages", grid.labels_of_bands(groups.ages), reference=0)
    factors |= {
        name: Factor("cohorts", labels, reference=0, last=True)
        for name, labels, _ in groups.members
        if name == "cohort"
    }
    level = Level("rate", rate * DAY, "events per entity and day where all factors are 1")
    yield from Judge(subject, sheet, factors, level, free).findings()
    yield from trend(subject, model, sheet, groups.times)
    yield from seasons(subject, model.timeline, sheet)


def trend(subject: str, model: Model, sheet: Sheet, edges: Times) -> Iterator[Finding]:
    """The growth of the monthly totals as an analyst would draw it, without a verdict of its own."""
    declared, measured, r2 = slope(sheet, grid.middles(model.timeline, edges))
    if np.isfinite(measured):
        detail = f"growth per year of the totals by period, by log-linear regression; R2 {r2:.3f}"
        yield Finding("behaviour", "trend", subject, measured, declared=declared, weight=0.0, detail=detail)
