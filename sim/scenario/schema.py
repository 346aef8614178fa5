"""The language: what a scenario file may say, as one model per part.

The parts hold their own mathematics where they have any (curves, distributions, hazards, generators); what is here is
how they fit together. Names that refer to other parts are checked by `sim.scenario.references`, on the raw document, so
that a file's problems are found all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from sim.attributes.copula import Correlation
from sim.attributes.registry import AnyAttribute
from sim.errors import Problem
from sim.maths.ages import AgeCurve
from sim.maths.curves import Curve, CurveRef
from sim.maths.distributions import CountDistribution, DurationDistribution
from sim.maths.hazards import Hazard
from sim.maths.model import Model, Name
from sim.maths.units import Duration, Instant, Probability, Rate, Weight
from sim.scenario.arrivals import Arrivals, Initial
from sim.scenario.changes import History, Sets
from sim.scenario.document import Document
from sim.scenario.expectations import Expectation
from sim.scenario.faults import Faults
from sim.scenario.frailty import Frailty
from sim.scenario.incidents import Incident
from sim.scenario.processes import Process
from sim.scenario.resources import Resource
from sim.scenario.schedule import Schedule
from sim.scenario.triggers import Trigger

MAX_NAMES = 1_000

Multiplier = Annotated[float, Field(ge=0, le=1e6)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{name!r} is not a timezone of the IANA database, such as 'Europe/Paris' or 'UTC'") from error
    return name


class Segment(Model):
    """One class of a segmentation and what it multiplies."""

    weight: Weight = Field(description="Share of the entities, relative to the other segments.", examples=[0.15])
    activity: Multiplier = Field(1.0, description="Factor on the rates of the entity's streams.", examples=[5.0])
    value: Multiplier = Field(1.0, description="Factor on attributes with `value: true`.", examples=[3.0])
    hazard: Multiplier = Field(1.0, description="Factor on the hazards of the lifecycle.", examples=[0.5])


class SegmentEffect(Model):
    """What a segment multiplies in one stream, instead of what the segment says."""

    activity: Multiplier | None = Field(None, description="Factor on this stream's rate.")
    value: Multiplier | None = Field(None, description="Factor on this stream's attributes with `value: true`.")


class Vintage(Model):
    """How behaviour depends on age, and on when an entity was born."""

    activity: AgeCurve | None = Field(None, description="Factor on rates, by age.")
    value: AgeCurve | None = Field(None, description="Factor on attributes with `value: true`, by age.")
    hazard: AgeCurve | None = Field(None, description="Factor on the hazards of the lifecycle, by age.")
    cohort: CurveRef | None = Field(None, description="Factor on rates, a curve over the time of birth.")


class Transition(Model):
    """One way out of a state: by a hazard, or after a dwell time."""

    to: Name = Field(description="The state that follows.")
    hazard: Hazard | None = Field(None, description="Rate of leaving while in the state.", examples=["3%/month"])
    after: DurationDistribution | None = Field(None, description="Time spent in the state.", examples=["20d"])
    on: Trigger | None = Field(None, description="A fact of a stream that leads out of the state.", examples=["order"])
    probability: Probability = Field(1.0, description="Share of those that leave by `after` who leave this way.")
    curves: list[CurveRef] = Field([], max_length=64, description="Factors on the hazard over time.")
    vintage: AgeCurve | None = Field(None, description="Factor on the hazard by age.")
    segments: dict[Name, dict[Name, Multiplier]] = Field(
        {}, description="Factors on the hazard by segment, instead of the segments' own."
    )
    reason: str = Field("", max_length=200, description="Carried by the transition's fact.", examples=["price"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("hazard", "after", "on") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of hazard, after, on; here: {', '.join(given) or 'none'}")
        if self.hazard is None and (self.curves or self.vintage or self.segments):
            raise ValueError(f"curves, vintage and segments multiply a hazard; '{given[0]}' has none")
        if self.after is None and self.probability != 1.0:
            raise ValueError(
                "'probability' goes with 'after'; competing hazards share by their size, and 'on' has its own"
            )
        return self


class State(Model):
    """A state of a lifecycle; without transitions it is absorbing."""

    activity: Multiplier = Field(1.0, description="Factor on the rates of the entity's streams.", examples=[0.1])
    terminal: bool = Field(False, description="The entity's facts end here: no activity, no way out.")
    cut: bool = Field(False, description="Of a terminal state: also what is under way ends, cases and later facts.")
    transitions: list[Transition] = Field([], max_length=100, description="Competing ways out.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.terminal and self.transitions:
            raise ValueError("a terminal state has no transitions")
        if self.cut and not self.terminal:
            raise ValueError("'cut' goes with 'terminal: true'")
        dwelling = [transition for transition in self.transitions if transition.after is not None]
        total = sum(transition.probability for transition in dwelling)
        if total > 1 + 1e-9:
            raise ValueError(f"the probabilities of the ways out by 'after' sum to {total:g}; at most 1 is possible")
        return self

    @property
    def factor(self) -> float:
        """The activity multiplier in effect."""
        return 0.0 if self.terminal else self.activity


class Lifecycle(Model):
    """The state machine of an entity."""

    initial: Name | dict[Name, Weight] = Field(
        description="State at birth, or weights of several.", examples=["active"]
    )
    states: dict[Name, State] = Field(min_length=1, max_length=100, description="The states by name.")


class Entity(Model):
    """One kind of entity."""

    description: str = Field("", description="For the reader, and for the schemas of the output.")
    parent: Name | None = Field(None, description="Kind of entity that these belong to; its segments are inherited.")
    initial: Initial | None = Field(None, description="Those that exist at the start.")
    arrivals: Arrivals | None = Field(None, description="Those that are born during the run.")
    frailty: Frailty | None = Field(None, description="Heterogeneity of activity between entities, with mean 1.")
    attributes: dict[Name, AnyAttribute] = Field({}, max_length=MAX_NAMES, description="Drawn at birth.")
    correlations: list[Correlation] = Field([], max_length=100, description="Attributes that are correlated.")
    segments: dict[Name, Annotated[dict[Name, Segment], Field(min_length=1, max_length=100)]] = Field(
        {}, max_length=20, description="Segmentations, each a set of weighted segments; multipliers multiply."
    )
    vintage: Vintage = Field(Vintage(), description="Dependence on age and cohort.")
    lifecycle: Lifecycle | None = Field(None, description="States and the hazards between them.")
    history: History | None = Field(None, description="Streams of what becomes of these entities.")
    emit: bool = Field(True, description="Whether births and transitions are streams of the output.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        arrivals = self.arrivals
        by_parent = arrivals is not None and (arrivals.per_parent is not None or arrivals.on is not None)
        if (self.parent is not None) != by_parent:
            raise ValueError("'parent' goes with 'arrivals.per_parent' or 'arrivals.on'")
        if self.parent is not None and self.initial is not None:
            raise ValueError("entities with a parent come by 'arrivals'; 'initial' is the parent's")
        if self.history is not None and not self.emit:
            raise ValueError("'history' tells of births and changes; with 'emit: false' these are no output")
        for name, segments in self.segments.items():
            if not any(segment.weight > 0 for segment in segments.values()):
                raise ValueError(f"segments.{name}: at least one weight must be above 0")
        return self


class Child(Model):
    """Facts that follow from each fact of a stream: order lines, returns, deliveries."""

    description: str = Field("", description="For the reader, and for the schemas of the output.")
    count: CountDistribution = Field(1, validate_default=True, description="How many per parent fact.", examples=[2])
    probability: Probability = Field(1.0, description="Probability that a parent fact has any.", examples=["6%"])
    after: DurationDistribution | None = Field(
        None,
        description="From the parent's event time to theirs.",
        examples=[{"type": "lognormal", "median": "9d", "sigma": 0.6}],
    )
    attributes: dict[Name, AnyAttribute] = Field({}, max_length=MAX_NAMES, description="Columns of the facts.")
    correlations: list[Correlation] = Field([], max_length=100, description="Attributes that are correlated.")
    sets: Sets = Field({})
    children: dict[Name, Child] = Field({}, max_length=100, description="Facts that follow from these.")


class StreamSpec(Model):
    """Facts of one kind, of one kind of entity: at a rate, or on a schedule."""

    description: str = Field("", description="For the reader, and for the schemas of the output.")
    entity: Name = Field(description="Whose facts these are.")
    rate: Rate | None = Field(
        None, description="Facts per entity and unit of time, before factors.", examples=["2/month"]
    )
    every: Schedule | None = Field(None, description="A fixed schedule instead of a rate.", examples=["1 month"])
    on: Trigger | None = Field(None, description="Facts of another stream that these follow from.", examples=["order"])
    count: CountDistribution = Field(1, validate_default=True, description="How many per such fact; only with `on`.")
    curves: list[CurveRef] = Field([], max_length=64, description="Factors on the rate over time.")
    states: list[Name] | None = Field(None, description="Only while the entity is in one of these states.")
    vintage: AgeCurve | None = Field(None, description="Factor by age, instead of the entity's `vintage.activity`.")
    segments: dict[Name, dict[Name, SegmentEffect]] = Field(
        {}, description="Multipliers by segment for this stream, instead of the segments' own."
    )
    attributes: dict[Name, AnyAttribute] = Field({}, max_length=MAX_NAMES, description="Columns of the facts.")
    correlations: list[Correlation] = Field([], max_length=100, description="Attributes that are correlated.")
    sets: Sets = Field({})
    children: dict[Name, Child] = Field({}, max_length=100, description="Facts that follow from these.")
    label: bool = Field(False, description="A column `incident`: the name of what has hit the fact, or null.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("rate", "every", "on") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of rate, every, on; here: {', '.join(given) or 'none'}")
        if self.rate is None and (self.curves or self.vintage):
            raise ValueError(f"curves and vintage multiply a rate; '{given[0]}' has none")
        if self.on is not None and self.states is not None:
            raise ValueError("'states' goes with rate and every; of a fact, ask in 'where'")
        return self


class Scenario(Model):
    """A world: its time, its curves, its entities and what they do."""

    name: Name = Field(description="Names the output.", examples=["storefront"])
    description: str = Field("", description="One paragraph for the reader.")
    seed: int = Field(0, ge=0, lt=2**63, description="Same seed, same facts.", examples=[42])
    start: Instant = Field(description="First instant of the run.", examples=["2023-01-01"])
    end: Instant = Field(description="The run ends before it.", examples=["2026-01-01"])
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Civil time of seasons, schedules and dates without a zone.", examples=["Europe/Paris"]
    )
    tick: Duration | None = Field(
        None, gt=0, description="Window that the engine fills at once; chosen from the scenario's numbers if not given."
    )
    resolution: Duration | None = Field(
        None, gt=0, description="No tick is longer: for what takes effect at the next tick only.", examples=["1h"]
    )
    blocks: int = Field(16, ge=1, le=64, description="Parts that a population is divided into; at most so many shards.")
    curves: dict[Name, Curve] = Field({}, max_length=MAX_NAMES, description="Curves over time, by name.")
    entities: dict[Name, Entity] = Field(min_length=1, max_length=MAX_NAMES, description="Kinds of entities.")
    streams: dict[Name, StreamSpec] = Field({}, max_length=MAX_NAMES, description="Kinds of facts.")
    processes: dict[Name, Process] = Field({}, max_length=MAX_NAMES, description="Cases that go from step to step.")
    resources: dict[Name, Resource] = Field({}, max_length=MAX_NAMES, description="What cases queue for.")
    faults: dict[Name, Faults] = Field(
        {}, max_length=MAX_NAMES, description="What goes wrong in the delivery of streams, by their names."
    )
    incidents: dict[Name, Incident] = Field({}, max_length=MAX_NAMES, description="What is unusual, for a while.")
    ground_truth: bool = Field(True, description="Whether streams of their own tell of the incidents and their facts.")
    expect: dict[Name, Expectation] = Field(
        {}, max_length=MAX_NAMES, description="What `datagen check` holds facts against."
    )

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError("'end' must come after 'start'")
        return self

    _document: Document | None = PrivateAttr(None)

    def read_from(self, document: Document) -> Self:
        """Remember the document that this scenario was read from, so that later problems have a line."""
        self._document = document
        return self

    def place(self, problem: Problem) -> Problem:
        """`problem` with the file and line of its path, where the scenario was read from a file."""
        return problem if self._document is None else self._document.place(problem)

    @property
    def zone(self) -> ZoneInfo:
        """The timezone itself."""
        return ZoneInfo(self.timezone)

    def ancestors(self, entity: str) -> list[str]:
        """`entity`, its parent, the parent's parent and so on."""
        line = [entity]
        while (parent := self.entities[line[-1]].parent) is not None:
            line.append(parent)
        return line

    def segmentations(self, entity: str) -> Mapping[str, tuple[str, Mapping[str, Segment]]]:
        """Segmentations in effect for `entity`: name -> (kind that declares it, its segments)."""
        found: dict[str, tuple[str, Mapping[str, Segment]]] = {}
        for kind in self.ancestors(entity):
            for name, segments in self.entities[kind].segments.items():
                found.setdefault(name, (kind, segments))
        return found
