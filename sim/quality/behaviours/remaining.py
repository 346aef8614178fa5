"""Survival: the share that is still in a state, or alive, some time after it began, against what the hazards say.

The share is estimated as Kaplan and Meier (1958) do, from those whose beginning is known; who was born before the run
is at risk from the start of the run on (left truncation). Its interval is Greenwood's, on the scale of log(-log S) as
in Kalbfleisch and Prentice (2002). What is declared is exp(-H), where H integrates the hazard of all who are at risk
over their number. The difference of the cumulative hazards, measured less declared, is a martingale (Andersen, Borgan,
Gill and Keiding 1993, IV.3), whose variance gives the p-value: of an effective count, so that few leavers do no harm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.maths.units import DAY, format_duration
from sim.model.model import Machine, Model, Population
from sim.quality.behaviours.exits import Leaving, Lives, by_dwell, by_hazard, lives_of
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.hazards import known
from sim.quality.behaviours.intensity import Groups, last_before, pieces_of
from sim.quality.behaviours.loglinear import count_p
from sim.quality.behaviours.members import Stays
from sim.quality.behaviours.rates import counting
from sim.quality.behaviours.reading import Facts, Floats, Indices, NotMeasurable, Times, sums
from sim.quality.finding import Finding, statistical, unmeasured

HORIZONS = (30 * DAY, 90 * DAY, 365 * DAY)
"""After how long shares are told."""

_CELLS = 16
"""Cells between two horizons, in which the number at risk is that of their beginning."""

_FEWEST_AT_RISK = 20
_FEWEST = 8.0


@dataclass(frozen=True, slots=True)
class Risk:
    """Stretches of lives at risk, by the time since they began: `entries`, `exits` and `ends` (of those that ended).

    `whose` is the member of each stretch, `room` the time from the beginning to the end of the run. `edges` are where
    cells begin, `expected` is the integral of the declared hazards in each, `exposure` the time at risk there
    (microseconds).
    """

    whose: Indices
    entries: Times
    exits: Times
    room: Times
    ends: Times
    edges: Times
    expected: Floats
    exposure: Floats

    def at_risk(self) -> Indices:
        """How many are there just after the beginning of each cell, int64[cells]."""
        gone = np.searchsorted(np.sort(self.exits), self.edges, side="right")
        return np.searchsorted(np.sort(self.entries), self.edges, side="right") - gone

    def hazard(self) -> Floats:
        """The declared hazard, averaged over those at risk, integrated up to the beginning of each cell."""
        each = np.divide(self.expected, self.exposure, out=np.zeros(len(self.edges)), where=self.exposure > 0)
        return np.concatenate([[0.0], np.cumsum(each[:-1] * np.diff(self.edges))])

    def likely(self) -> Floats:
        """How many would be there at the beginning of each cell if the declared hazard held, float64[cells].

        Whether a share is told must not depend on how many are left, which would favour those that come out high.
        """
        order = np.lexsort((self.entries, self.room, self.whose))
        whose, room = self.whose[order], self.room[order]
        begins = order[np.append(True, (np.diff(whose) != 0) | (np.diff(room) != 0))[: len(order)]]
        entries, room = self.entries[begins], self.room[begins]
        grown = self.hazard()
        before = np.interp(entries, self.edges, grown)
        followed = [(entries <= edge) & (edge <= room) for edge in self.edges.tolist()]
        gone = [np.exp(before - total) for total in grown.tolist()]
        return np.array([part[there].sum() for part, there in zip(gone, followed, strict=True)], dtype=np.float64)


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every state that entities leave, and on the lives of those that come to an end."""
    for population in model.populations:
        machine = population.machine
        if machine is None:
            continue
        try:
            lives = lives_of(facts, model, population, machine)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "survival", population.name, str(why))
            continue
        yield from _of_states(model, population, machine, lives)
        yield from _of_lives(model, population, machine, lives)


def _of_states(model: Model, population: Population, machine: Machine, lives: Lives) -> Iterator[Finding]:
    everywhere = frozenset(range(len(machine.states)))
    for state, exits in enumerate(machine.exits):
        if exits:
            subject = f"{population.name}: {machine.states[state]}"
            yield from _told(model, machine, lives, [state], everywhere, subject)


def _of_lives(model: Model, population: Population, machine: Machine, lives: Lives) -> Iterator[Finding]:
    """The share that has not come to an end, by age."""
    ends = frozenset(np.flatnonzero(machine.terminal).tolist())
    if any(exit_.to in ends for exits in machine.exits for exit_ in exits):
        going = np.flatnonzero(~machine.terminal).tolist()
        yield from _told(model, machine, lives, going, ends, f"{population.name}: alive")


def _told(
    model: Model, machine: Machine, lives: Lives, sources: list[int], targets: frozenset[int], subject: str
) -> Iterator[Finding]:
    try:
        risk = _risk(model, machine, lives, sources, targets)
    except NotMeasurable as why:
        yield unmeasured("behaviour", "survival", subject, str(why))
        return
    found = {horizon: _after(risk, horizon, subject) for horizon in HORIZONS}
    yield from (finding for finding in found.values() if isinstance(finding, Finding))
    for reason in dict.fromkeys(told for told in found.values() if isinstance(told, str)):
        when = " and ".join(format_duration(horizon) for horizon, told in found.items() if told == reason)
        yield unmeasured("behaviour", "survival", f"{subject} after {when}", reason)


def _risk(model: Model, machine: Machine, lives: Lives, sources: list[int], targets: frozenset[int]) -> Risk:
    """Who is at risk of going from `sources` to `targets`, since they came there; by age where not all are targets."""
    if lives.disturbance.outside is not None:
        raise NotMeasurable("an incident changes it for everybody for some time")
    by_age = len(targets) < len(machine.states)
    parts = [_part(model, machine, lives, source, targets, by_age) for source in sources]
    whose, entries, exits, room, ends = (
        np.concatenate([getattr(part, of) for part in parts]) for of in ("whose", "entries", "exits", "room", "ends")
    )
    expected, exposure = (np.sum([getattr(part, of) for part in parts], axis=0) for of in ("expected", "exposure"))
    return Risk(whose, entries, exits, room, ends, parts[0].edges, expected, exposure)


def _part(model: Model, machine: Machine, lives: Lives, source: int, targets: frozenset[int], by_age: bool) -> Risk:
    """Those at risk in one state."""
    leaving = _ways(model, machine, lives, source, targets)
    member, times, left, to, _ = lives.changes
    here = (left == source) & np.isin(to, list(targets))
    stays, events = counting(lives.stays, (member[here], times[here]), lives.disturbance, leaving=True)
    at_risk = stays.states[0] == source
    if by_age and all(way.base.even for way in leaving):
        stays = stays.take(np.flatnonzero(at_risk))
    else:
        stays, events = known(stays, events, at_risk)
    origin = lives.members.births[stays.member] if by_age else stays.since
    place = last_before(stays, events[0], events[1] - 1)
    ends = (events[1] - origin[place])[place >= 0] if len(stays) else np.empty(0, dtype=np.int64)
    edges = _edges()
    expected = np.zeros(len(edges))
    for way in leaving:
        expected += _integrated(model, lives, stays, way, edges, by_age)
    since, until = stays.start - origin, stays.until - origin
    exposure = _exposure(since, until, edges)
    return Risk(stays.member, since, until, model.end - origin, ends, edges, expected, exposure)


def _ways(model: Model, machine: Machine, lives: Lives, source: int, targets: frozenset[int]) -> list[Leaving]:
    """What is declared of leaving a state for `targets`: hazards that add up."""
    exits = machine.exits[source]
    wanted = [exit_ for exit_ in exits if exit_.to in targets]
    if any(exit_.trigger is not None for exit_ in wanted):
        raise NotMeasurable("facts lead there")
    ways = [by_hazard(lives, exit_) for exit_ in wanted if exit_.hazard is not None]
    drawn = [place for place, exit_ in enumerate(e for e in exits if e.after is not None) if exit_.to in targets]
    return [*ways, by_dwell(model, lives, exits, drawn)] if drawn else ways


def _integrated(model: Model, lives: Lives, stays: Stays, way: Leaving, edges: Times, by_age: bool) -> Floats:
    """The integral of the hazard over each cell of the time since the beginning, float64[cells]."""
    total = np.zeros(len(edges))
    if not len(stays):
        return total
    declared = way.declared(model, lives, int(stays.states[0].max()) + 1)
    groups = Groups(ages=edges[1:]) if by_age else Groups(dwell=edges[1:])
    for chunk, pieces in pieces_of(lives.members, stays, declared, groups):
        origin = lives.members.births[chunk.member] if by_age else chunk.since
        middle = pieces.start + (pieces.until - pieces.start) // 2 - origin[pieces.stay]
        total += sums(np.searchsorted(edges, middle, side="right") - 1, pieces.expected, len(edges))
    return total


def _exposure(entries: Times, exits: Times, edges: Times) -> Floats:
    """The time at risk in each cell but the last one, which has no end; there it is 0."""
    found = np.zeros(len(edges))
    for place, (low, high) in enumerate(itertools.pairwise(edges.tolist())):
        found[place] = float(np.maximum(np.minimum(exits, high) - np.maximum(entries, low), 0).sum())
    return found


def _edges() -> Times:
    """The beginnings of cells up to the last horizon, which begins the last one; narrow at first."""
    first = HORIZONS[0] * (np.arange(_CELLS) / _CELLS) ** 2
    rest = [np.linspace(low, high, _CELLS, endpoint=False) for low, high in itertools.pairwise(HORIZONS)]
    return np.concatenate([first, *rest, HORIZONS[-1:]]).astype(np.int64)


def _after(risk: Risk, horizon: int, subject: str) -> Finding | str:
    """The finding on the share that is left at a horizon, or why there is none.

    A cell with nobody at its beginning has no weight, which is known before what happens in it.
    """
    last = int(np.searchsorted(risk.edges, horizon))
    if risk.likely()[: last + 1].min() < _FEWEST_AT_RISK:
        return f"fewer than {_FEWEST_AT_RISK} would be followed for so long"
    number, expected = risk.at_risk()[:last], risk.expected[:last]
    weight = np.divide(1.0, number, out=np.zeros(last), where=number > 0)
    mean, variance = float(weight @ expected), float(weight**2 @ expected)
    if mean**2 < _FEWEST * variance:
        return "too few would have left"
    observed = np.histogram(risk.ends, bins=risk.edges[: last + 1])[0]
    excess = float(weight @ (observed - expected))
    share, low, high = kaplan_meier(risk.entries, risk.exits, risk.ends, horizon)
    return statistical(
        "behaviour",
        "survival",
        f"{subject} after {format_duration(horizon)}",
        float(count_p(*(np.array([value]) for value in (excess, mean, variance)))[0]),
        estimate=share,
        low=low,
        high=high,
        declared=float(np.exp(-risk.hazard()[last])),
        detail=f"share that is left, Kaplan-Meier; {observed.sum():,} left where {expected.sum():,.1f} are expected",
    )


def kaplan_meier(entries: Times, exits: Times, ends: Times, until: int) -> tuple[float, float, float]:
    """The share that has not ended by `until`, of those at risk in [entry, exit) of each, and its 95% interval.

    Several stretches may be of one life; `ends` are the exits that are ends.
    """
    when, many = np.unique(ends[ends <= until], return_counts=True)
    there = np.searchsorted(np.sort(entries), when, side="left") - np.searchsorted(np.sort(exits), when, side="left")
    left = np.maximum(there - many, 0)
    share = float(np.prod(left / np.maximum(there, 1)))
    if not 0 < share < 1:
        return share, share, share
    error = Z * np.sqrt(float((many / (there * left)).sum())) / abs(np.log(share))
    low, high = share ** np.exp(np.array([error, -error]))
    return share, float(low), float(high)
