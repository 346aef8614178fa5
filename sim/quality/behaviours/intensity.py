"""What is declared of events per entity, integrated over the lives that the facts tell of: expected and observed.

Given its path an entity's events are a counting process with intensity

    lambda_i(t) = rate x segments_i x cohort_i x states_i(t) x vintage(age_i(t)) x base(time in state) x curves(t),

so the integral of lambda over any part of the path (the compensator) is the expected number of events there: Andersen,
Borgan, Gill and Keiding (1993), Statistical models based on counting processes. Lives are cut where a factor
changes, and where a group begins for which counts are wanted; each piece is integrated exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.quality.behaviours.members import Members, Stays
from sim.quality.behaviours.reading import Floats, Indices, Times
from sim.quality.behaviours.tables import AgeTable, Base, TimeTable

_CHUNK = 400_000


@dataclass(frozen=True, slots=True)
class Declared:
    """The factors of an intensity: `entities` float64[members] is all that an entity carries through its life.

    `states` has the factors of each track of the stays. `variance` is that of the frailty.
    """

    entities: Floats
    states: tuple[Floats, ...]
    ages: AgeTable
    times: TimeTable
    base: Base | None = None
    variance: float = 0.0


@dataclass(frozen=True, slots=True)
class Groups:
    """How pieces of lives are grouped: by what members are, where tracks are, and cells of age, time and dwell.

    `members` are codes by member; the edges of the cells are the inner ones, ascending, microseconds.
    """

    members: tuple[tuple[str, tuple[str, ...], Indices], ...] = ()
    tracks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ages: Times = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    times: Times = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    dwell: Times = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def names(self) -> list[str]:
        """Of the groupings, in the order of the codes."""
        return [*(m[0] for m in self.members), *(t[0] for t in self.tracks), "time", "age", "dwell"]

    @property
    def sizes(self) -> list[int]:
        """How many groups each has."""
        sizes = [len(m[1]) for m in self.members] + [len(t[1]) for t in self.tracks]
        return [*sizes, len(self.times) + 1, len(self.ages) + 1, len(self.dwell) + 1]

    def codes(self, member: Indices, states: NDArray[np.int64], ages: Times, times: Times, dwell: Times) -> Indices:
        """The groups at points of lives: int64[n, groupings]."""
        found = [codes[member] for _, _, codes in self.members] + list(states[: len(self.tracks)])
        found += [
            np.searchsorted(edges, at, side="right")
            for edges, at in ((self.times, times), (self.ages, ages), (self.dwell, dwell))
        ]
        return np.stack(found, axis=1)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of lives, all of one chunk of stays: the stay of each, [start, until), and the expected events."""

    stay: Indices
    start: Times
    until: Times
    expected: Floats


def pieces_of(members: Members, stays: Stays, declared: Declared, groups: Groups) -> Iterator[tuple[Stays, Pieces]]:
    """The lives in pieces, chunk by chunk, with the expected number of events of each."""
    fine = len(declared.ages.cuts) + len(groups.times) + len(groups.ages) + len(groups.dwell) + 1
    size = max(_CHUNK // fine, 64)
    for first in range(0, len(stays), size):
        chunk = stays.take(np.arange(first, min(first + size, len(stays))))
        yield chunk, _integrated(members, chunk, declared, _cut(members, chunk, declared, groups))


def _cut(members: Members, stays: Stays, declared: Declared, groups: Groups) -> tuple[Indices, Times, Times]:
    births = members.births[stays.member]
    ages = np.union1d(declared.ages.cuts, groups.ages)
    zero = np.zeros(len(stays), dtype=np.int64)
    pieces = [(np.arange(len(stays)), stays.start)]
    for origin, edges in ((births, ages), (zero, groups.times), (stays.since, groups.dwell)):
        if len(edges):
            pieces.append(_inside(stays, origin, edges))
    stay = np.concatenate([piece[0] for piece in pieces])
    start = np.concatenate([piece[1] for piece in pieces])
    order = np.lexsort((start, stay))
    stay, start = stay[order], start[order]
    last = np.append(stay[1:] != stay[:-1], True)
    until = np.where(last, stays.until[stay], np.append(start[1:], 0))
    some = until > start
    return stay[some], start[some], until[some]


def _inside(stays: Stays, origin: Times, edges: Times) -> tuple[Indices, Times]:
    """The stays that edges (relative to the origin) fall into, and when."""
    low = np.searchsorted(edges, stays.start - origin, side="right")
    many = np.maximum(np.searchsorted(edges, stays.until - origin, side="left") - low, 0)
    stay = np.repeat(np.arange(len(many)), many)
    which = np.arange(len(stay)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    return stay, edges[which] + origin[stay]


def _integrated(members: Members, stays: Stays, declared: Declared, cut: tuple[Indices, Times, Times]) -> Pieces:
    """The integral of the declared intensity over pieces (stay, start, until)."""
    stay, start, until = cut
    member = stays.member[stay]
    births = members.births[member]
    mass0, moment0 = declared.times.at(start)
    mass1, moment1 = declared.times.at(until)
    mass = mass1 - mass0
    # on each piece the age curve is a line; the curve over time has a mass and a moment there
    ages, age = declared.ages, start - births
    cell = np.clip(np.searchsorted(ages.edges, age, side="right") - 1, 0, len(ages.first) - 1)
    level = ages.first[cell] + ages.slope[cell] * (age - ages.edges[cell])
    ahead = moment1 - moment0 - declared.times.at_offset(start) * mass
    expected = level * mass + ages.slope[cell] * ahead
    expected *= declared.entities[member]
    for row, factors in zip(stays.states, declared.states, strict=True):
        expected *= factors[row[stay]]
    if declared.base is not None:
        since = np.where(declared.base.even, start, stays.since[stay])
        grown = declared.base.cumulative(until - since) - declared.base.cumulative(start - since)
        expected *= grown / (until - start)
    return Pieces(stay, start, until, np.maximum(expected, 0.0))


def last_before(stays: Stays, member: Indices, times: Times) -> Indices:
    """The stay that each member is in at a time, -1 where it has not come into sight or is out of it: int64[n]."""
    who = np.concatenate([stays.member, member])
    when = np.concatenate([stays.start, times])
    asked = np.arange(len(who)) >= len(stays)
    order = np.lexsort((asked, when, who))
    place = np.where(asked[order], -1, order)
    filled = np.maximum.accumulate(place)
    found = np.empty(len(times), dtype=np.int64)
    found[order[asked[order]] - len(stays)] = filled[asked[order]]
    there = np.maximum(found, 0)
    sound = (found >= 0) & (stays.member[there] == member) & (times < stays.until[there]) if len(stays) else found >= 0
    return np.where(sound, found, -1)


def sizes_of(groups: Sequence[int]) -> Indices:
    """The strides of a mixed-radix code."""
    return np.append(np.cumprod(np.array(groups[::-1], dtype=np.int64))[::-1][1:], 1)
