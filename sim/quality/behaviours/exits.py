"""Ways out of states: what is declared of each, and the lives from which its transitions are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.maths.ages import AgeCurve
from sim.maths.curves import BoundCurve, product_of
from sim.maths.distributions import DurationDistribution
from sim.model.model import Exit, Machine, Model, Population
from sim.quality.behaviours.disturbed import Disturbance, disturbance_of
from sim.quality.behaviours.intensity import Declared
from sim.quality.behaviours.members import Members, Stays, members_of, stays_of, track_of_states
from sim.quality.behaviours.rates import oldest_of
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
from sim.quality.behaviours.tables import AgeTable, Base, Dwelling, TimeTable


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


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is declared of leaving a state: `base` over the time in it, times what is of each member, age and time."""

    base: Base
    members: Floats
    vintages: tuple[AgeCurve, ...]
    curve: BoundCurve

    def declared(self, model: Model, lives: Lives, states: int) -> Declared:
        """The intensity of leaving one of so many states, incidents that befall single entities included."""
        spells = (np.nan_to_num(factors) for factors in lives.disturbance.factors)
        return Declared(
            entities=self.members,
            states=(np.ones(states), *spells),
            ages=AgeTable(self.vintages, oldest_of(lives.members, model.end)),
            times=TimeTable(lives.disturbance.curve(self.curve), model.start, model.end),
            base=self.base,
        )


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


def lives_of(facts: Facts, model: Model, population: Population, machine: Machine) -> Lives:
    """The lives of a sample of a population. Raises NotMeasurable."""
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


def by_hazard(lives: Lives, exit_: Exit) -> Leaving:
    """Leaving by an exit that has a hazard."""
    assert exit_.hazard is not None
    paces = np.ones(len(lives.members))
    for factors, codes in zip(exit_.segments, lives.members.segments, strict=True):
        paces *= factors[codes]
    return Leaving(Base(exit_.hazard), paces, exit_.vintages, product_of([] if exit_.curve is None else [exit_.curve]))


def lengths_of(exits: tuple[Exit, ...]) -> list[tuple[float, DurationDistribution]]:
    """The exits of a state that have a dwell time: their probabilities and distributions, in order."""
    return [(exit_.probability, exit_.after) for exit_ in exits if exit_.after is not None]


def by_dwell(model: Model, lives: Lives, exits: tuple[Exit, ...], which: list[int]) -> Leaving:
    """Leaving by some of the exits of a state that have a dwell time, by their places in `lengths_of`.

    Raises NotMeasurable where a time in the state is constant.
    """
    ways = lengths_of(exits)
    if any(after.type == "constant" for _, after in ways):
        raise NotMeasurable("a constant time in a state has no hazard")
    base = Dwelling(ways, which, model.end - model.start)
    return Leaving(base, np.ones(len(lives.members)), (), product_of([]))
