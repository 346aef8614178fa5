"""What the parts of the compiler share: the scenario, what is made of it so far, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sim.attributes.expressions import program
from sim.batch import Stream
from sim.errors import Problem, ScenarioError
from sim.model.binding import Binder
from sim.model.incident import Hit
from sim.model.model import Profile, Segmentation
from sim.model.order import Graph, Key
from sim.model.tables import Tables
from sim.scenario.schema import Entity, Scenario
from sim.scenario.triggers import On


@dataclass
class Ground:
    """A scenario that is being compiled.

    `index` numbers the kinds of entities, `entities` has the expected number of each by the end of the run, `streams`
    what is emitted by rank, and `known` every stream that something can follow from (also one that is not emitted)
    with the kind of its entity. `hits` are what incidents do to streams.
    """

    scenario: Scenario
    binder: Binder
    index: Mapping[str, int]
    segmentations: Mapping[str, Sequence[Segmentation]]
    tables: Tables
    entities: Mapping[str, float]
    streams: list[Stream] = field(default_factory=list)
    known: dict[str, tuple[str, Stream]] = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    profiles: dict[str, list[Profile]] = field(default_factory=dict)
    hits: Mapping[str, tuple[Hit, ...]] = field(default_factory=dict)
    changing: dict[str, set[str]] = field(default_factory=dict)
    """By kind, the attributes that facts set."""

    @property
    def rank(self) -> int:
        """The rank of the next stream."""
        return len(self.streams)

    def note(self, stream: Stream, kind: str, emitted: bool = True) -> None:
        """Add a stream of `kind`."""
        self.known[stream.name] = (kind, stream)
        if emitted:
            self.streams.append(stream)

    def source(self, path: str, on: On, kind: str) -> tuple[str, Stream]:
        """The stream that `on` names, with the kind of its entity, which is `kind` or belongs to it."""
        if on.stream not in self.known:
            problem = f"{on.stream!r} is not a stream that comes before; there are {', '.join(sorted(self.known))}"
            raise ScenarioError([Problem(0, path, problem)])
        owner, stream = self.known[on.stream]
        if kind not in self.scenario.ancestors(owner):
            raise ScenarioError([Problem(0, path, f"{on.stream!r} is of {owner}, which does not belong to {kind}")])
        return owner, stream

    def profile(self, kind: str, profile: Profile) -> int:
        """The number of a profile among those of its population; equal ones share their weights."""
        known = self.profiles.setdefault(kind, [])
        for number, other in enumerate(known):
            if _same(profile, other):
                return number
        known.append(profile)
        return len(known) - 1

    def lineage(self, kind: str) -> list[Entity]:
        """The entity `kind`, its parent, and so on."""
        return [self.scenario.entities[name] for name in self.scenario.ancestors(kind)]

    def mortal(self, kind: str) -> bool:
        """Whether entities of `kind`, or those that they belong to, have terminal states."""
        cycles = [entity.lifecycle for entity in self.lineage(kind) if entity.lifecycle is not None]
        return any(state.terminal for cycle in cycles for state in cycle.states.values())

    def cuts(self, kind: str, alone: bool = False) -> bool:
        """Whether `kind`, or (unless `alone`) one that it belongs to, has states that cut what is under way."""
        line = self.lineage(kind)[: 1 if alone else None]
        cycles = [entity.lifecycle for entity in line if entity.lifecycle is not None]
        return any(state.cut for cycle in cycles for state in cycle.states.values())

    def waits(self, kind: str, stateful: bool, looked_up: Iterable[str] = ()) -> set[Key]:
        """What facts of `kind` wait for: that their entities and whom they look up are born; if it matters, states."""
        births: set[Key] = {("births", other) for other in (*self.scenario.ancestors(kind), *looked_up)}
        return births | self.states(kind) if stateful else births

    def states(self, kind: str) -> set[Key]:
        """The lifecycles of `kind` and of its ancestors."""
        lineage = self.scenario.ancestors(kind)
        return {("states", other) for other in lineage if self.scenario.entities[other].lifecycle is not None}

    def after(self, on: On | None) -> set[Key]:
        """What has to come before a trigger: the stream that it names, and the states that its condition reads."""
        if on is None or on.stream not in self.graph.sources:
            return set()
        states = self.states(self.known[on.stream][0]) if reads_states(on) else set()
        return {self.graph.sources[on.stream]} | states


def reads_states(on: On | None) -> bool:
    """Whether the condition of a trigger reads in which state an entity is."""
    if on is None or on.where is None:
        return False
    return any(name == "state" or name.endswith(".state") for name in program(on.where).reads)


def _same(one: Profile, other: Profile) -> bool:
    return (
        len(one.segments) == len(other.segments)
        and all((a == b).all() for a, b in zip(one.segments, other.segments, strict=True))
        and one.vintage == other.vintage
        and one.cohort is other.cohort
        and len(one.states) == len(other.states)
        and all((a.factors == b.factors).all() for a, b in zip(one.states, other.states, strict=True))
        and one.spells == other.spells
        and one.frail == other.frail
    )
