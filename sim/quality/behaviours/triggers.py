"""Births and cases that follow from facts: how many of each fact, and how long after it.

They do not name the fact that they follow from. Where nothing or a fixed time lies between, its time does. Else all of
them together are compared with all that is expected of all facts; and where a fact comes so long after the one before
that what follows until the next one can be of no other, it is known what followed from it, and when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.maths.distributions import DurationDistribution
from sim.model.model import Model, Population, Trigger
from sim.quality.behaviours.causes import Causes, led_by, share_of
from sim.quality.behaviours.counts import counts_of_followers, followers, number_of_followers
from sim.quality.behaviours.reading import (
    Facts,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    columns,
    instant,
    quoted,
    require,
)
from sim.quality.behaviours.survival import lengths, tabulated
from sim.quality.behaviours.walks import disturbed, ends_of
from sim.quality.finding import Finding, exact, unmeasured

_FEWEST = 20
_OVER = 1 - 1e-6
"""What follows has come by the time at which it has with this probability."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a trigger starts, in a stream called `name`: `where` are the rows that begin it, at `when`, for `key`."""

    name: str
    trigger: Trigger
    target: Population
    key: str
    when: str
    where: str


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on all births and all cases that follow from facts."""
    for started in _all(model):
        try:
            yield from _measured(facts, model, started)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "triggered", started.name, str(why))


def _all(model: Model) -> Iterator[Started]:
    for kind in model.populations:
        if kind.arrivals is None or kind.arrivals.on is None or kind.trigger is None or kind.parent is None:
            continue
        parent = model.populations[kind.parent]
        fresh = f"{instant('born_at')} > {model.start}" if kind.initial is not None else "true"
        yield Started(kind.name, kind.trigger, parent, f"{parent.name}_id", "born_at", fresh)
    for flow in model.flows:
        if flow.trigger is not None:
            owner = model.populations[flow.population]
            yield Started(flow.name, flow.trigger, owner, f"{owner.name}_id", "event_time", "step_index = 0")


def _measured(facts: Facts, model: Model, started: Started) -> Iterator[Finding]:
    name, trigger = started.name, started.trigger
    require(facts, name)
    if trigger.late:
        raise NotMeasurable("it takes effect some time after the fact, at the next tick")
    share = share_of(facts, trigger)
    causes = led_by(facts, model, trigger, share).by_entity()
    whose, when = columns(
        facts,
        f"SELECT {quoted(started.key)}::BIGINT AS a, {instant(started.when)} AS b FROM {quoted(name)}"
        f" WHERE {started.where} AND {chosen(started.key, share)} ORDER BY 1, 2",
    )
    ends = np.full(len(causes.ids), model.end)
    if not trigger.outlives:
        ends = ends_of(facts, model, started.target, causes.whose)
    outside = disturbed(facts, model, name)
    if trigger.after is None or trigger.after.type == "constant":
        calm = np.ones(len(causes.ids), dtype=np.bool_) if outside is None else outside.number(causes.times) < 0
        yield from _at_once(name, trigger, causes, ends, calm, whose, when)
    elif outside is not None:
        raise NotMeasurable("an incident changes it for some time, and it is not told what followed from which fact")
    else:
        yield from _later(name, trigger, trigger.after, causes, ends, whose, when)


def _at_once(
    name: str, trigger: Trigger, causes: Causes, ends: Times, calm: np.ndarray, whose: Indices, when: Times
) -> Iterator[Finding]:
    """What follows after no time, or always the same one: the time names the fact."""
    lag = 0 if trigger.after is None else round(trigger.after.mean())
    place = causes.last(whose, when - lag)
    known = place >= 0
    known[known] = np.abs(causes.times[place[known]] + lag - when[known]) <= 1
    yield _uncaused(name, int(np.count_nonzero(~known)), len(whose))
    rooms = ends - causes.times
    many = np.bincount(place[known], minlength=len(causes.ids))[calm]
    count, probability = trigger.count, trigger.probability
    if (np.diff(causes.whose) == 0)[np.diff(causes.times) == 0].any():
        yield number_of_followers(name, count, probability, trigger.after, int(many.sum()), rooms[calm])
    else:
        yield from followers(name, count, probability, trigger.after, many, rooms[calm])


def _later(
    name: str,
    trigger: Trigger,
    after: DurationDistribution,
    causes: Causes,
    ends: Times,
    whose: Indices,
    when: Times,
) -> Iterator[Finding]:
    place = causes.last(whose, when)
    yield _uncaused(name, int(np.count_nonzero(place < 0)), len(whose))
    if len(causes.ids):
        yield number_of_followers(
            name, trigger.count, trigger.probability, after, len(whose), np.maximum(ends - causes.times, 0)
        )
    alone, rooms = _alone(causes, after, ends)
    one = np.flatnonzero(place >= 0)
    one = one[alone[place[one]]]
    late = when[one] - causes.times[place[one]]
    inside = late < rooms[place[one]]
    here, late = place[one][inside], late[inside]
    if len(here) < _FEWEST:
        yield unmeasured("behaviour", "delays", name, "facts come too fast to tell what followed from which")
        return
    many = np.bincount(here, minlength=len(causes.ids))[alone]
    yield from counts_of_followers(name, trigger.count, trigger.probability, after, many, rooms[alone])
    yield from lengths("delays", name, after, late.astype(np.float64), rooms[here].astype(np.float64))


def _uncaused(name: str, wrong: int, total: int) -> Finding:
    return exact("behaviour", "uncaused", name, wrong, "no fact that it could follow from", of=total)


def _alone(causes: Causes, after: DurationDistribution, ends: Times) -> tuple[np.ndarray, Times]:
    """Which facts come when all that follows from those before is over, bool[n]; and the time until the next one."""
    span = int(causes.times.max() - causes.times.min()) + 1 if len(causes.ids) else 1
    grid, known = tabulated(after, float(span))
    place = int(np.searchsorted(known, _OVER))
    over = grid[place] if place < len(grid) else np.inf
    same = np.append(causes.whose[1:] == causes.whose[:-1], False)[: len(causes.ids)]
    following = np.append(causes.times[1:], 0)[: len(causes.ids)]
    rooms = np.maximum(np.where(same, np.minimum(following, ends), ends) - causes.times, 0)
    gap = np.append(0, np.diff(causes.times))[: len(causes.ids)]
    first = np.append(True, ~same[:-1])[: len(causes.ids)]
    return first | (gap > over), rooms
