"""The compiled model: a scenario with names turned into codes and curves bound to its time.

Everything here is data that the engine reads; nothing changes during a run. Arrays by segment or state are indexed by
code, the position of the name in its declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.expressions import Program
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.maths.ages import AgeCurve
from sim.maths.curves import BoundCurve
from sim.maths.distributions import CountDistribution, DurationDistribution
from sim.maths.hazards import Hazard
from sim.maths.timeline import Timeline
from sim.model.chronicles import Chronicle
from sim.model.incident import Disturbances, Extra, SpellFactor
from sim.model.process import UserProcess
from sim.model.queueing import Resource, Service
from sim.model.settings import Setting
from sim.scenario.arrivals import Arrivals, Initial
from sim.scenario.faults import Faults
from sim.scenario.frailty import Frailty
from sim.scenario.schedule import Schedule

Factors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A segmentation in effect for a population; `owner` is the population (it or an ancestor) that draws it."""

    name: str
    owner: int
    names: tuple[str, ...]
    shares: Factors
    activity: Factors
    value: Factors
    hazard: Factors
    dictionary: pa.Array


@dataclass(frozen=True, slots=True)
class StateFactors:
    """Factors by state, of the lifecycle that an entity has itself (generation 0) or that an ancestor has."""

    generation: int
    factors: Factors


@dataclass(frozen=True, slots=True)
class Profile:
    """What multiplies the rate of one or more streams of a population, besides frailty and curves over time.

    `segments` has an array of factors for each segmentation of the population. The states of ancestors count too: what
    belongs to an entity rests while the entity does. `spells` are incidents that befall entities one by one.
    """

    segments: tuple[Factors, ...]
    vintage: AgeCurve | None
    cohort: BoundCurve | None
    states: tuple[StateFactors, ...]
    spells: tuple[SpellFactor, ...] = ()
    frail: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """What follows from each fact of the stream `source`: how many, which share, how much later.

    `carried` names what the followers read of that fact. The entity is the fact's own, or its ancestor so many
    `generations` up. What is `late` is part of a cycle and takes effect at the next window.
    """

    source: str
    where: Program | None
    count: CountDistribution
    probability: float
    after: DurationDistribution | None
    carried: frozenset[str]
    generations: int = 0
    late: bool = False
    outlives: bool = False
    """Whether it follows from a change of state, so that an end that cuts what is under way does not cut it."""


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a state. One of `hazard` (with its factors), `after` (with `probability`), `trigger` is there."""

    to: int
    reason: int
    hazard: Hazard | None
    segments: tuple[Factors, ...]
    vintages: tuple[AgeCurve, ...]
    curve: BoundCurve | None
    after: DurationDistribution | None
    probability: float
    trigger: Trigger | None


@dataclass(frozen=True, slots=True)
class Machine:
    """A state machine: states by code, their ways out, the shares of the initial states, and which are ends.

    `terminal` are ends of what entities do, `cut` those among them that also end what is under way.
    """

    states: tuple[str, ...]
    reasons: tuple[str, ...]
    initial: Factors
    exits: tuple[tuple[Exit, ...], ...]
    terminal: NDArray[np.bool_]
    cut: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Values:
    """What multiplies attributes with `value: true`: factors by segment for each segmentation, and a curve over age."""

    segments: tuple[Factors, ...]
    vintage: AgeCurve | None

    @property
    def trivial(self) -> bool:
        """Whether nothing is multiplied."""
        return self.vintage is None and all(bool(np.all(factors == 1.0)) for factors in self.segments)


@dataclass(frozen=True, slots=True)
class Population:
    """One kind of entity. `stream` and `transitions` are the streams of births and of state changes."""

    name: str
    index: int
    parent: int | None
    trigger: Trigger | None
    """What births follow from, where they follow from facts: then a shard knows its own blocks' entities only."""
    initial: Initial | None
    arrivals: Arrivals | None
    arrival_rate: float
    """Births per microsecond where `arrival_curve` is 1; 0 unless births are a Poisson process."""
    arrival_curve: BoundCurve
    expected: float
    """Entities by the end of the run."""
    nominal: int
    """Those at the start, or the expected number where there are none: what popularity ranks are dealt over."""
    frailty: Frailty | None
    segmentations: tuple[Segmentation, ...]
    machine: Machine | None
    profiles: tuple[Profile, ...]
    values: Values
    table: AttributeTable
    kept: frozenset[str]
    """Attributes that something else reads: the engine keeps these, the others are drawn, emitted and forgotten."""
    changing: frozenset[str]
    """Attributes that facts set."""
    mortal: bool
    """Whether entities, or those that they belong to, have terminal states."""
    shared: bool
    """Whether anything looks entities of this kind up: then every shard knows the attributes of all of them."""
    stream: Stream | None
    transitions: Stream | None


@dataclass(frozen=True, slots=True)
class Follower:
    """Facts of `population` that follow from the facts of another stream."""

    name: str
    population: int
    trigger: Trigger
    values: Values
    table: AttributeTable
    sets: tuple[Setting, ...]
    children: tuple[Follower, ...]
    stream: Stream


@dataclass(frozen=True, slots=True)
class Activity:
    """Facts of one kind, of one population: at a rate (per microsecond) or on a schedule.

    A scheduled fact happens where no factor in `states` is 0.
    """

    name: str
    population: int
    profile: int
    rate: float
    curve: BoundCurve
    schedule: Schedule | None
    states: tuple[StateFactors, ...]
    values: Values
    table: AttributeTable
    sets: tuple[Setting, ...]
    children: tuple[Follower, ...]
    stream: Stream
    expected: float
    """Facts over the whole run, roughly: states are not considered, children not counted."""
    extras: tuple[Extra, ...] = ()


@dataclass(frozen=True, slots=True)
class BranchFactors:
    """What multiplies a probability or a delay: by segment for each segmentation, by age, over time."""

    segments: tuple[Factors, ...]
    vintage: AgeCurve | None
    curve: BoundCurve | None


@dataclass(frozen=True, slots=True)
class Branch:
    """One way from a step to the step `to`. Who would take longer than `timeout` goes to `otherwise` (-1: ends).

    `history` has, for steps (-1: all of them), the factors on the probability by how often the case was there before.
    """

    to: int
    probability: float
    after: DurationDistribution | None
    timeout: int | None
    otherwise: int
    probabilities: BranchFactors
    delays: BranchFactors
    history: tuple[tuple[int, Factors], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A multi-stage process: cases of `population` that go from step to step. `limits` has 0 where there is none.

    `first` are the shares of the first steps; `table` is drawn once a case, `each` at every step.
    Cases are started by the facts of a hidden activity (`start`) or by those of another stream (`trigger`). `visits` is
    the stream of what they did at resources, where they queue for any.
    """

    name: str
    population: int
    start: Activity | None
    trigger: Trigger | None
    count: CountDistribution
    steps: tuple[str, ...]
    first: Factors
    branches: tuple[tuple[Branch, ...], ...]
    limits: tuple[int, ...]
    services: tuple[Service | None, ...]
    values: Values
    table: AttributeTable
    each: AttributeTable
    sets: tuple[Setting, ...]
    stream: Stream
    cases: Stream | None
    visits: Stream | None
    conversions: tuple[int, ...]

    @property
    def counted(self) -> tuple[int, ...]:
        """The steps whose visits by a case matter: it passes them only so often, or a factor depends on them."""
        limited = {step for step, limit in enumerate(self.limits) if limit}
        looked_back = {step for way in self.branches for branch in way for step, _ in branch.history if step >= 0}
        return tuple(sorted(limited | looked_back))


@dataclass(frozen=True, slots=True)
class Node:
    """A part of what happens in a window; nodes run in the order in which the model lists them.

    `kind` is births, states, incident, streams, follower, process or history; `names` are the streams that it gives (of
    births and states, the population). What is to be known `everywhere` runs in all blocks, in every shard.
    """

    kind: str
    population: int
    names: tuple[str, ...]
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A scenario, ready to run. `order` lists, in words, what runs after what inside a tick."""

    name: str
    digest: str
    seed: int
    timeline: Timeline
    tick: int
    blocks: int
    curves: Mapping[str, BoundCurve]
    populations: tuple[Population, ...]
    activities: tuple[Activity, ...]
    followers: tuple[Follower, ...]
    flows: tuple[Flow, ...]
    resources: tuple[Resource, ...]
    chronicles: tuple[Chronicle, ...]
    disturbances: Disturbances
    nodes: tuple[Node, ...]
    streams: tuple[Stream, ...]
    processes: tuple[UserProcess, ...]
    order: tuple[str, ...]
    faults: Mapping[str, Faults] = field(default_factory=dict)
    volumes: Mapping[str, float] = field(default_factory=dict)
    """Facts of each stream, roughly: as if all conditions held and no state made a difference."""

    @property
    def start(self) -> int:
        """First instant of the run, in microseconds."""
        return self.timeline.start

    @property
    def end(self) -> int:
        """The run ends before it."""
        return self.timeline.end

    @property
    def shardable(self) -> bool:
        """Whether a shard can be simulated alone: not where all cases share resources."""
        return not self.resources

    def population(self, name: str) -> Population:
        """The population called `name`; raises KeyError."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def lineage(self, population: Population) -> list[Population]:
        """The population, its parent, the parent's parent and so on."""
        line = [population]
        while (parent := line[-1].parent) is not None:
            line.append(self.populations[parent])
        return line
