"""Compiles whatever gives facts: births, activities, followers, processes; and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import pyarrow as pa

from sim.attributes.expressions import Program, program
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.errors import Problem, ScenarioError
from sim.maths.counts import FixedCount
from sim.maths.distributions import CountDistribution
from sim.model.binding import Binder
from sim.model.flows import branches_of, start_of
from sim.model.model import Activity, Flow, Follower, Node, Profile, Segmentation, Trigger
from sim.model.order import Graph, Key
from sim.model.process import UserProcess
from sim.model.schemas import birth_stream, case_stream, fact_stream, step_stream, transition_stream
from sim.model.segments import profile_of, values_of
from sim.model.sizes import expected_rate
from sim.model.tables import Tables, carried_of, reads_state
from sim.scenario.processes import Process
from sim.scenario.schema import Child, Entity, Scenario, StreamSpec
from sim.scenario.triggers import On

_ONCE = FixedCount(type="fixed", n=1)


class FactCompiler:
    """Makes the streams of a scenario in the order of their ranks."""

    def __init__(
        self,
        scenario: Scenario,
        binder: Binder,
        index: Mapping[str, int],
        segmentations: Mapping[str, Sequence[Segmentation]],
        tables: Tables,
        entities: Mapping[str, float],
    ) -> None:
        self.streams: list[Stream] = []
        self.of_entity: dict[str, tuple[Stream | None, Stream | None]] = {}
        self.profiles: dict[str, list[Profile]] = {kind: [] for kind in index}
        self.graph = Graph()
        self._scenario = scenario
        self._binder = binder
        self._index = index
        self._segmentations = segmentations
        self._tables = tables
        self._entities = entities
        self._known: dict[str, tuple[str, Stream]] = {}
        """Every stream that something can follow from, with the kind of its entity; also those that are not emitted."""

    def births(self, kind: str, table: AttributeTable) -> None:
        """The streams of births and transitions of `kind`, and their nodes."""
        entity = self._scenario.entities[kind]
        stateful = entity.lifecycle is not None
        own = [segmentation.name for segmentation in self._segmentations[kind]]
        birth = birth_stream(kind, entity.parent, own, stateful, table.schema(), self._rank(), entity.description)
        self._note(birth, kind, entity.emit)
        waits: set[Key] = {("births", other) for other in (entity.parent, *table.lookups) if other not in (None, kind)}
        if reads_state(table):
            waits |= self._states(kind) - {("states", kind)}
        self.graph.add(Node("births", self._index[kind], (kind,)), kind, [kind], waits)
        transitions = transition_stream(kind, self._rank()) if stateful else None
        if transitions is not None:
            self._note(transitions, kind, entity.emit)
            node = Node("states", self._index[kind], (transitions.name,))
            self.graph.add(node, kind, [transitions.name], [("births", kind)])
        self.of_entity[kind] = (birth, transitions) if entity.emit else (None, None)

    def all(self) -> tuple[tuple[Activity, ...], tuple[Follower, ...], tuple[Flow, ...]]:
        """Activities first, as the scenario has them, then what follows from other streams, causes before effects."""
        own = {name: spec for name, spec in self._scenario.streams.items() if spec.on is None}
        activities = tuple(self._activity(name, spec) for name, spec in own.items())
        self._group(activities)
        followers: list[Follower] = []
        flows: list[Flow] = []
        for name in self._later():
            if name in self._scenario.streams:
                followers.append(self._top(name, self._scenario.streams[name]))
            else:
                flows.append(self._flow(name, self._scenario.processes[name]))
        return activities, tuple(followers), tuple(flows)

    def process(self, process: UserProcess) -> None:
        """The stream of a user's own process."""
        fields = [pa.field(name, kind) for name, kind in process.schema.items()]
        self.streams.append(fact_stream(process.stream, process.entity, None, fields, self._rank(), ""))
        self._tables.readers.add(process.reads)

    def pushes(self, kind: str) -> dict[tuple[str, int], Trigger]:
        """The triggers of the transitions of `kind`, by state and place; those that are part of a cycle are late."""
        lifecycle = self._scenario.entities[kind].lifecycle
        triggers = {}
        for name, state in lifecycle.states.items() if lifecycle is not None else ():
            for number, transition in enumerate(state.transitions):
                if transition.on is not None:
                    path = f"entities.{kind}.lifecycle.states.{name}.transitions[{number}].on"
                    late = self._late(kind, transition.on)
                    triggers[name, number] = self._trigger(path, transition.on, kind, frozenset(), late=late)
        return triggers

    def conception(self, kind: str) -> Trigger | None:
        """What the births of `kind` follow from, if they follow from facts; their node then waits for these."""
        entity = self._scenario.entities[kind]
        on = None if entity.arrivals is None else entity.arrivals.on
        if on is None or entity.arrivals is None or entity.parent is None:
            return None
        path = f"entities.{kind}.arrivals.on"
        if kind in self._tables.readers.shared:
            message = f"{kind} is looked up, but entities that are born from facts are known to their own shard only"
            self._tables.problems.append(Problem(0, path, message))
        self.graph.waits["births", kind] |= self._after(on)
        return self._trigger(path, on, entity.parent, frozenset(), entity.arrivals.count)

    def _late(self, kind: str, on: On) -> bool:
        source = self.graph.sources.get(on.stream)
        return source is not None and self.graph.soften(("states", kind), source)

    def _later(self) -> list[str]:
        """Streams and processes that start on others' facts, after these; processes that start by themselves too."""
        starts = {name: process.start.on for name, process in self._scenario.processes.items()}
        starts |= {name: spec.on for name, spec in self._scenario.streams.items() if spec.on is not None}
        owner = {f"{name}_case": name for name in self._scenario.processes}
        for name, spec in self._scenario.streams.items():
            owner |= dict.fromkeys(_descendants(spec.children), name)
        waits: dict[str, set[str]] = {}
        for name, on in starts.items():
            source = "" if on is None else owner.get(on.stream, on.stream)
            waits[name] = {source} & starts.keys()
        try:
            return list(TopologicalSorter(waits).static_order())
        except CycleError as error:
            chain = " -> ".join(reversed(error.args[1]))
            raise ScenarioError([Problem(0, "streams", f"wait for each other's facts: {chain}")]) from error

    def _activity(self, name: str, spec: StreamSpec) -> Activity:
        kind = spec.entity
        table = self._tables.make(f"streams.{name}", spec, self._tables.context(kind))
        stream = fact_stream(name, kind, None, table.schema(), self._rank(), spec.description)
        self._note(stream, kind)
        profile = profile_of(self._binder, self._lineage(kind), self._segmentations[kind], spec)
        return Activity(
            name=name,
            population=self._index[kind],
            profile=self._profile(kind, profile) if spec.every is None else -1,
            rate=spec.rate or 0.0,
            curve=self._binder.product(spec.curves),
            schedule=spec.every,
            states=profile.states,
            values=values_of(self._scenario.entities[kind], self._segmentations[kind], spec.segments),
            table=table,
            children=self._children(f"streams.{name}", spec.children, kind, stream),
            stream=stream,
            expected=self._expected(kind, spec),
        )

    def _expected(self, kind: str, spec: StreamSpec) -> float:
        run = self._scenario.end - self._scenario.start
        return self._entities[kind] * expected_rate(self._scenario, self._binder, spec) * run

    def _children(self, path: str, children: Mapping[str, Child], kind: str, source: Stream) -> tuple[Follower, ...]:
        found = []
        for name, child in children.items():
            inner = f"{path}.children.{name}"
            on = On(stream=source.name, probability=child.probability, after=child.after)
            found.append(self._follower(inner, name, child, on, child.count, kind, kind, source))
        return tuple(found)

    def _follower(
        self,
        path: str,
        name: str,
        spec: Child | StreamSpec,
        on: On,
        count: CountDistribution,
        kind: str,
        owner: str,
        source: Stream,
    ) -> Follower:
        """A stream of `kind` whose facts follow from those of `source`, a stream of `owner`."""
        table = self._tables.make(path, spec, self._tables.context(kind, source))
        stream = fact_stream(name, kind, source, table.schema(), self._rank(), spec.description)
        self._note(stream, kind)
        effects = spec.segments if isinstance(spec, StreamSpec) else {}
        return Follower(
            name=name,
            population=self._index[kind],
            trigger=self._trigger(path, on, kind, carried_of(table, source.name), count),
            values=values_of(self._scenario.entities[kind], self._segmentations[kind], effects),
            table=table,
            children=self._children(path, spec.children, kind, stream),
            stream=stream,
        )

    def _top(self, name: str, spec: StreamSpec) -> Follower:
        assert spec.on is not None
        owner, source = self._source(f"streams.{name}.on", spec.on, spec.entity)
        follower = self._follower(f"streams.{name}", name, spec, spec.on, spec.count, spec.entity, owner, source)
        node = Node("follower", self._index[spec.entity], (name, *_names(follower.children)))
        waits = self._waits(spec.entity, self._reads(follower), _looked_up(follower))
        self.graph.add(node, name, node.names, waits | self._after(spec.on))
        return follower

    def _flow(self, name: str, spec: Process) -> Flow:
        kind, path = spec.entity, f"processes.{name}"
        source = None if spec.start.on is None else self._source(f"{path}.start.on", spec.start.on, kind)[1]
        table = self._tables.make(path, spec, self._tables.context(kind, source))
        stream = step_stream(name, kind, table.schema(), self._rank(), spec.description)
        self._note(stream, kind)
        cases = case_stream(name, kind, table.schema(), self._rank()) if spec.cases else None
        if cases is not None:
            self._note(cases, kind)
        start, trigger = None, None
        if spec.start.on is not None and source is not None:
            trigger = self._trigger(f"{path}.start", spec.start.on, kind, carried_of(table, source.name), spec.count)
        else:
            like = start_of(spec)
            profile = profile_of(self._binder, self._lineage(kind), self._segmentations[kind], like)
            number = self._profile(kind, profile) if like.every is None else -1
            expected = self._expected(kind, like)
            start = Activity(
                name=name,
                population=self._index[kind],
                profile=number,
                rate=like.rate or 0.0,
                curve=self._binder.product(like.curves),
                schedule=like.every,
                states=profile.states,
                values=values_of(self._scenario.entities[kind], self._segmentations[kind], {}),
                table=table,
                children=(),
                stream=stream,
                expected=expected,
            )
        stateful = (
            reads_state(table) or bool(start is not None and start.states) or self._where_reads_state(spec.start.on)
        )
        node = Node("process", self._index[kind], (name, *([cases.name] if cases is not None else [])))
        self.graph.add(node, name, node.names, self._waits(kind, stateful, table.lookups) | self._after(spec.start.on))
        steps = tuple(spec.steps)
        return Flow(
            name=name,
            population=self._index[kind],
            start=start,
            trigger=trigger,
            count=spec.count,
            steps=steps,
            first=steps.index(spec.initial),
            branches=branches_of(self._binder, spec, self._segmentations[kind]),
            limits=tuple(step.limit or 0 for step in spec.steps.values()),
            values=values_of(self._scenario.entities[kind], self._segmentations[kind], {}),
            table=table,
            stream=stream,
            cases=cases,
        )

    def _trigger(
        self,
        path: str,
        on: On,
        kind: str,
        carried: frozenset[str],
        count: CountDistribution = _ONCE,
        late: bool = False,
    ) -> Trigger:
        owner, source = self._source(path, on, kind)
        ancestors = self._scenario.ancestors(owner)
        return Trigger(
            source=source.name,
            where=self._where(path, on, owner, source),
            count=count,
            probability=on.probability,
            after=on.after,
            carried=carried,
            generations=ancestors.index(kind) if kind in ancestors else 0,
            late=late,
        )

    def _where(self, path: str, on: On, owner: str, source: Stream) -> Program | None:
        """The condition, compiled; what it reads of the entity is kept."""
        if on.where is None:
            return None
        condition = program(on.where)
        types = self._tables.context(owner) | {field.name: field.type for field in source.schema}
        try:
            kind = condition.arrow_type(types)
        except ValueError as error:
            self._tables.problems.append(Problem(0, f"{path}.where", str(error)))
            return None
        if not pa.types.is_boolean(kind):
            self._tables.problems.append(Problem(0, f"{path}.where", f"{on.where!r} is not a condition, but {kind}"))
        self._tables.readers.add(condition.reads - set(source.schema.names))
        return condition

    def _source(self, path: str, on: On, kind: str) -> tuple[str, Stream]:
        """The stream that `on` names, with the kind of its entity, which is `kind` or belongs to it."""
        if on.stream not in self._known:
            problem = f"{on.stream!r} is not a stream that comes before; there are {', '.join(sorted(self._known))}"
            raise ScenarioError([Problem(0, path, problem)])
        owner, stream = self._known[on.stream]
        if kind not in self._scenario.ancestors(owner):
            raise ScenarioError([Problem(0, path, f"{on.stream!r} is of {owner}, which does not belong to {kind}")])
        return owner, stream

    def _group(self, activities: Sequence[Activity]) -> None:
        """One node for each activity, but one for all of a population that have sequential values."""
        groups: dict[str, list[Activity]] = {}
        for activity in activities:
            key = f"{activity.population} sequences" if activity.table.sequences else activity.name
            groups.setdefault(key, []).append(activity)
        kinds = list(self._index)
        for group in groups.values():
            kind = kinds[group[0].population]
            names = [name for activity in group for name in (activity.name, *_names(activity.children))]
            stateful = any(a.states or reads_state(a.table) or any(map(self._reads, a.children)) for a in group)
            node = Node("streams", group[0].population, tuple(activity.name for activity in group))
            seen = {
                other for a in group for other in (*a.table.lookups, *(o for c in a.children for o in _looked_up(c)))
            }
            self.graph.add(node, group[0].name, names, self._waits(kind, stateful, seen))

    def _reads(self, follower: Follower) -> bool:
        return reads_state(follower.table) or any(map(self._reads, follower.children))

    def _where_reads_state(self, on: On | None) -> bool:
        return (
            on is not None
            and on.where is not None
            and any(name == "state" or name.endswith(".state") for name in program(on.where).reads)
        )

    def _waits(self, kind: str, stateful: bool, looked_up: Iterable[str] = ()) -> set[Key]:
        """What facts of `kind` wait for: that their entities and whom they look up are born; if it matters, states."""
        births: set[Key] = {("births", other) for other in (*self._scenario.ancestors(kind), *looked_up)}
        return births | self._states(kind) if stateful else births

    def _states(self, kind: str) -> set[Key]:
        lineage = self._scenario.ancestors(kind)
        return {("states", other) for other in lineage if self._scenario.entities[other].lifecycle is not None}

    def _after(self, on: On | None) -> set[Key]:
        return set() if on is None or on.stream not in self.graph.sources else {self.graph.sources[on.stream]}

    def _lineage(self, kind: str) -> list[Entity]:
        return [self._scenario.entities[name] for name in self._scenario.ancestors(kind)]

    def _note(self, stream: Stream, kind: str, emitted: bool = True) -> None:
        self._known[stream.name] = (kind, stream)
        if emitted:
            self.streams.append(stream)

    def _rank(self) -> int:
        return len(self.streams)

    def _profile(self, kind: str, profile: Profile) -> int:
        """The number of a profile among those of its population; equal ones share their weights."""
        known = self.profiles[kind]
        for number, other in enumerate(known):
            if _same(profile, other):
                return number
        known.append(profile)
        return len(known) - 1


def _looked_up(follower: Follower) -> set[str]:
    """The kinds that a follower or what follows from it looks up."""
    return set(follower.table.lookups).union(*(_looked_up(child) for child in follower.children))


def _names(children: Sequence[Follower]) -> list[str]:
    return [name for child in children for name in (child.name, *_names(child.children))]


def _descendants(children: Mapping[str, Child]) -> list[str]:
    return [name for key, child in children.items() for name in (key, *_descendants(child.children))]


def _same(one: Profile, other: Profile) -> bool:
    return (
        len(one.segments) == len(other.segments)
        and all((a == b).all() for a, b in zip(one.segments, other.segments, strict=True))
        and one.vintage == other.vintage
        and one.cohort is other.cohort
        and len(one.states) == len(other.states)
        and all((a.factors == b.factors).all() for a, b in zip(one.states, other.states, strict=True))
    )
