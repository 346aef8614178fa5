"""Changes of state that follow from facts: which share of the facts moves an entity that is in the state, and when.

At once, each fact is a trial of its own. After a time with the distribution F and probability p, nobody sees what fell
due elsewhere; but in a state that was entered at a, an entity for which nothing has fallen due yet leaves because of a
fact at s with the hazard p f(t - s) / (1 - p (F(t - s) - F(a - s))), whose integral up to b, -log(1 - p (F(b - s) -
F(a - s))), is the compensator of its leaving (Andersen, Borgan, Gill and Keiding 1993). Lives count up to the first
such change.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.maths.distributions import DurationDistribution
from sim.model.model import Machine, Model, Population, Trigger
from sim.quality.behaviours.causes import Causes, led_by
from sim.quality.behaviours.chances import share
from sim.quality.behaviours.exits import Lives, Way, lives_of, name_of, ways_of
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.hazards import set_of
from sim.quality.behaviours.intensity import last_before
from sim.quality.behaviours.loglinear import count_p
from sim.quality.behaviours.pending import delays, pending_in
from sim.quality.behaviours.reading import Facts, Floats, Indices, NotMeasurable, Times, sums
from sim.quality.finding import Finding, exact, statistical, unmeasured

_FEWEST = 8.0


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every change of state that follows from facts."""
    for population in model.populations:
        machine = population.machine
        if machine is None or not any(exit_.trigger for exits in machine.exits for exit_ in exits):
            continue
        try:
            lives = lives_of(facts, model, population, machine)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "triggered", f"{population.name}_lifecycle", str(why))
            continue
        for way in ways_of(machine):
            if any(exit_.trigger is not None for exit_ in way.exits):
                yield from _of_way(facts, model, population, machine, lives, way)


def _of_way(
    facts: Facts, model: Model, population: Population, machine: Machine, lives: Lives, way: Way
) -> Iterator[Finding]:
    subject = name_of(population, machine, way)
    trigger = way.exits[0].trigger
    try:
        if len(way.exits) > 1 or trigger is None:
            raise NotMeasurable("several exits have the same target and reason")
        causes = _causes(facts, model, lives, trigger)
        if trigger.after is None or trigger.after.type == "constant":
            yield from _at_once(facts, model, machine, lives, way, trigger, causes, subject)
        else:
            yield from _later(model, lives, way, trigger, trigger.after, causes, subject)
    except NotMeasurable as why:
        yield unmeasured("behaviour", "triggered", subject, str(why))


def _causes(facts: Facts, model: Model, lives: Lives, trigger: Trigger) -> Causes:
    """The facts that may move members, by member and time; `whose` are rows of members."""
    found = led_by(facts, model, trigger, lives.members.share)
    rows = lives.members.rows(found.whose)
    return Causes(found.ids, found.times, rows).take(np.flatnonzero(rows >= 0)).by_entity()


def _changed(lives: Lives, way: Way) -> tuple[Indices, Times]:
    member, times, source, to, reason = lives.changes
    here = (source == way.source) & (to == way.to) & (reason == way.reason)
    return member[here], times[here]


def _next_tick(model: Model, trigger: Trigger, times: Times) -> Times:
    """From when on facts take effect."""
    if not trigger.late:
        return times
    return model.start + ((times - model.start) // model.tick + 1) * model.tick


def _at_once(
    facts: Facts,
    model: Model,
    machine: Machine,
    lives: Lives,
    way: Way,
    trigger: Trigger,
    causes: Causes,
    subject: str,
) -> Iterator[Finding]:
    """What follows at once, or always after the same time: fact by fact."""
    when = _effects(model, trigger, causes)
    left, alone = _others(facts, model, machine, lives, way, causes, when)
    chance = trigger.probability * left
    member, times = _changed(lives, way)
    caused = np.isin(set_of(member, times), set_of(causes.whose, when))
    text = "no fact that it could follow from"
    yield exact("behaviour", "uncaused", subject, int(np.count_nonzero(~caused)), text, of=len(member))
    stay = last_before(lives.stays, causes.whose, when - 1)
    there = alone & (stay >= 0) & (lives.stays.states[0][np.maximum(stay, 0)] == way.source) & (when < model.end)
    # several facts may come to have their effect at the same tick: only one of them has it
    pairs, place = np.unique(set_of(causes.whose[there], when[there]), return_inverse=True)
    none = np.exp(sums(place, np.log1p(-np.minimum(chance[there], 1 - 1e-12)), len(pairs)))
    taken = np.isin(pairs, set_of(member, times))
    text = "share of the facts that lead on"
    yield from share("triggered", subject, taken, np.round(1 - none, 9), trigger.probability, text)


def _effects(model: Model, trigger: Trigger, causes: Causes) -> Times:
    """When facts have their effect, where no chance is involved in that."""
    lag = 0 if trigger.after is None else round(trigger.after.mean())
    return np.maximum(causes.times + lag, _next_tick(model, trigger, causes.times))


def _others(
    facts: Facts, model: Model, machine: Machine, lives: Lives, way: Way, causes: Causes, when: Times
) -> tuple[Floats, np.ndarray]:
    """What the other exits of the state leave to facts.

    The probability that the same fact has not led out by an exit that comes first, float64[n]; and whether no other
    fact may do so at the same instant, bool[n]: the first that does would leave nothing to the others.
    """
    left, earlier = np.ones(len(causes.ids)), True
    moments, sources, ids = [set_of(causes.whose, when)], [np.zeros(len(when), dtype=np.int64)], [causes.ids]
    for exit_ in machine.exits[way.source]:
        earlier &= exit_ is not way.exits[0]
        other = exit_.trigger
        if other is None or exit_ is way.exits[0] or (other.after is not None and other.after.type != "constant"):
            continue
        found = _causes(facts, model, lives, other)
        same = way.exits[0].trigger is not None and other.source == way.exits[0].trigger.source
        both = np.isin(causes.ids, found.ids) & same
        left *= np.where(both & earlier, 1 - other.probability, 1.0)
        moments.append(set_of(found.whose, _effects(model, other, found)))
        sources.append(np.full(len(found.ids), 0 if same else len(sources)))
        ids.append(found.ids)
    if len(moments) == 1:
        return left, np.ones(len(left), dtype=np.bool_)
    which, place = np.unique(np.concatenate(moments), return_inverse=True)
    facts_there = np.unique(np.stack([place, np.concatenate(sources), np.concatenate(ids)]), axis=1)
    return left, (np.bincount(facts_there[0], minlength=len(which)) == 1)[place[: len(left)]]


def _later(
    model: Model,
    lives: Lives,
    way: Way,
    trigger: Trigger,
    after: DurationDistribution,
    causes: Causes,
    subject: str,
) -> Iterator[Finding]:
    """What follows after a random time: all that is due in the state, against all that left."""
    if trigger.late:
        raise NotMeasurable("it takes effect at the next tick, after a random time")
    member, times = _changed(lives, way)
    first = np.full(len(lives.members), model.end + 1)
    np.minimum.at(first, member, times)
    own = (lives.stays.states[0] == way.source) & (lives.stays.start < first[lives.stays.member])
    stays = lives.stays.take(np.flatnonzero(own))
    left = stays.until == first[stays.member]
    pending = pending_in(stays, causes)
    expected = float(pending.expected(trigger.probability, after).sum())
    if expected < _FEWEST:
        raise NotMeasurable(f"{expected:.1f} changes of state are expected of facts")
    found = float(np.count_nonzero(left))
    ratio, error = trigger.probability / expected, Z * np.sqrt(expected)
    yield statistical(
        "behaviour",
        "triggered",
        subject,
        float(count_p(*(np.array([value]) for value in (found - expected, expected, expected)))[0]),
        estimate=found * ratio,
        low=max(found - error, 0.0) * ratio,
        high=(found + error) * ratio,
        declared=trigger.probability,
        detail=f"share of the facts that lead on; {found:,.0f} changes where {expected:,.1f} are expected",
    )
    yield from delays(pending, trigger.probability, after, left, subject)
