"""Where lives are cut into groups: periods of the calendar, bands of age and of time in a state, cohorts, hours."""

from __future__ import annotations

import itertools

import numpy as np

from sim.maths.civil import CivilUnit
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR, YEAR, format_duration
from sim.quality.behaviours.members import Members, Stays
from sim.quality.behaviours.reading import Floats, Indices, Times

_UNITS: tuple[CivilUnit, ...] = ("month", "week", "day", "hour", "minute")
_MOST_PERIODS, _FEWEST_PERIODS = 40, 6
_PER_PERIOD = 40
_BANDS = 6
_COHORTS = 6
_MOST_HOURS = 120_000


def periods(timeline: Timeline, events: float) -> Times:
    """The inner edges of periods of the calendar: the longest unit that gives enough of them, joined to hold events.

    As many as there are 40 events each, at most 40.
    """
    start, end = timeline.start, timeline.end
    wanted = int(np.clip(events / _PER_PERIOD, 1, _MOST_PERIODS))
    found = np.empty(0, dtype=np.int64)
    for unit in _UNITS:
        found = timeline.civil_breaks(start, end, unit)
        if len(found) + 1 >= min(_FEWEST_PERIODS, wanted):
            break
    joined = -(-(len(found) + 1) // wanted)
    return found[joined - 1 :: joined]


def labels_of_periods(timeline: Timeline, edges: Times) -> tuple[str, ...]:
    """The first day of each period."""
    local = timeline.local(np.concatenate([[timeline.start], edges]))
    return tuple(str(moment)[:16].replace("T00:00", "") for moment in local.astype("datetime64[us]"))


def middles(timeline: Timeline, edges: Times) -> Floats:
    """The middles of the periods, in years since the start."""
    whole = np.concatenate([[timeline.start], edges, [timeline.end]])
    return np.asarray((whole[:-1] + np.diff(whole) / 2 - timeline.start) / YEAR, dtype=np.float64)


def bands(stays: Stays, origin: Times, events: float) -> Times:
    """The inner edges of bands of the time since `origin` (one element a stay) that share the time at risk evenly."""
    wanted = int(np.clip(events / _PER_PERIOD, 1, _BANDS))
    if wanted < 2 or not len(stays):
        return np.empty(0, dtype=np.int64)
    length = stays.until - stays.start
    points = [stays.start - origin + (length * share).astype(np.int64) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    ages, weights = np.concatenate(points), np.tile(length / 5, 5)
    order = np.argsort(ages)
    passed = np.cumsum(weights[order])
    place = np.searchsorted(passed, passed[-1] * np.arange(1, wanted) / wanted)
    return np.unique(_rounded(ages[order][np.minimum(place, len(order) - 1)]))


def _rounded(lengths: Times) -> Times:
    """Lengths in whole days or hours, where they are long enough."""
    unit = np.where(lengths > 3 * DAY, DAY, np.where(lengths > 3 * HOUR, HOUR, 1))
    return np.maximum(np.asarray(np.round(lengths / unit) * unit, dtype=np.int64), 1)


def labels_of_bands(edges: Times) -> tuple[str, ...]:
    """Each band in words."""
    ends = [format_duration(int(edge)) for edge in edges]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    return (f"up to {ends[0]}", *inner, f"from {ends[-1]}") if ends else ("all",)


def cohorts(members: Members) -> tuple[tuple[str, ...], Indices]:
    """Members by time of birth, in classes of even size: the classes' first births, and the class of each."""
    wanted = int(np.clip(len(members) / _PER_PERIOD, 1, _COHORTS))
    order = np.sort(members.births)
    edges = np.unique(order[(len(order) * np.arange(1, wanted)) // wanted]) if len(order) else order
    firsts = np.concatenate([order[:1], edges]).astype("datetime64[us]")
    labels = tuple(f"born from {str(first)[:10]}" for first in firsts)
    return labels, np.searchsorted(edges, members.births, side="right")


def hours(timeline: Timeline) -> Times:
    """Edges of the hours of the run (of longer cells in long runs, of shorter ones in short ones)."""
    length = timeline.end - timeline.start
    cell = HOUR
    while length / cell > _MOST_HOURS:
        cell *= 2
    while length / cell < 100 and cell % 2 == 0 and cell > HOUR // 64:
        cell //= 2
    return np.append(np.arange(timeline.start, timeline.end, cell, dtype=np.int64), timeline.end)
