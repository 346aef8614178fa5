"""From a scenario to a model: names to codes, curves bound, order of dependencies, tick, schemas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from sim.attributes.attribute import Attribute
from sim.attributes.column import STRING_CODES, TIME_TYPE
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.errors import Problem, ScenarioError
from sim.maths.curves import BoundCurve, product_of
from sim.maths.diffusion import Bass, Diffusion
from sim.model.binding import Binder
from sim.model.limits import limit_problems
from sim.model.model import Activity, ChildActivity, Machine, Model, Population, Profile, Segmentation
from sim.model.needs import Readers, arrival_order
from sim.model.process import UserProcess
from sim.model.schemas import birth_stream, fact_stream, transition_stream
from sim.model.segments import machine_of, profile_of, segmentations_of, values_of
from sim.model.sizes import choose_tick, expected_entities, expected_rate, facts_per_microsecond
from sim.scenario.schema import Child, Entity, Scenario, StreamSpec

LANGUAGE_VERSION = 1
"""Raised whenever the same scenario and seed give other facts than before."""

Types = dict[str, pa.DataType]


def compile_scenario(scenario: Scenario, processes: Sequence[UserProcess] = ()) -> Model:
    """The model of `scenario`, with the streams of a user's own `processes`; raises ScenarioError."""
    return _Compiler(scenario, tuple(processes)).model()


class _Compiler:
    def __init__(self, scenario: Scenario, processes: tuple[UserProcess, ...]) -> None:
        self.scenario = scenario
        self.processes = processes
        self.binder = Binder(scenario)
        self.order = arrival_order(scenario)
        self.index = {kind: number for number, kind in enumerate(self.order)}
        self.segmentations = {kind: segmentations_of(scenario, kind, self.index) for kind in self.order}
        self.machines = {
            kind: machine_of(self.binder, scenario.entities[kind], self.segmentations[kind]) for kind in self.order
        }
        self.profiles: dict[str, list[Profile]] = {kind: [] for kind in self.order}
        self.arrivals = {kind: self._arrivals(scenario.entities[kind]) for kind in self.order}
        self.types: dict[str, Types] = {}
        self.readers = Readers(scenario)
        self.streams: list[Stream] = []
        self.problems: list[Problem] = []

    def model(self) -> Model:
        tables = {kind: self._entity_table(kind) for kind in self.order}
        births = {kind: self._birth_streams(kind, tables[kind]) for kind in self.order}
        entities = expected_entities(self.scenario, self.arrivals)
        activities = tuple(
            self._activity(name, spec, entities[spec.entity]) for name, spec in self.scenario.streams.items()
        )
        for process in self.processes:
            self._process(process)
        self._check()
        populations = tuple(self._population(kind, tables[kind], births[kind], entities[kind]) for kind in self.order)
        return Model(
            name=self.scenario.name,
            digest=digest(self.scenario),
            seed=self.scenario.seed,
            timeline=self.binder.timeline,
            tick=choose_tick(self.scenario, facts_per_microsecond(self.scenario, self.binder, entities)),
            blocks=self.scenario.blocks,
            curves=self.binder.curves,
            populations=populations,
            activities=activities,
            streams=tuple(self.streams),
            processes=self.processes,
            order=self._words(),
        )

    @property
    def _run(self) -> int:
        return self.scenario.end - self.scenario.start

    def _arrivals(self, entity: Entity) -> tuple[float, BoundCurve]:
        """Births per microsecond where the curve is 1, and the curve."""
        arrivals = entity.arrivals
        curve = self.binder.product(arrivals.curves if arrivals is not None else [])
        if arrivals is None or arrivals.per_parent is not None or arrivals.total is not None:
            return 0.0, curve
        if arrivals.diffusion is None:
            assert arrivals.rate is not None
            return arrivals.rate, curve
        spec = arrivals.diffusion
        diffusion = Diffusion(Bass(spec.p, spec.q), float(spec.market), self.scenario.start)
        return 1.0, product_of([diffusion, curve]) if arrivals.curves else diffusion

    def _context(self, kind: str) -> Types:
        """What attributes of rows of `kind` can read: the entity, its ancestors, and the time."""
        context: Types = {"event_time": TIME_TYPE, "age": pa.float64()}
        for ancestor in self.scenario.ancestors(kind):
            context[f"{ancestor}_id"] = pa.int64()
            for name, type_ in self.types.get(ancestor, {}).items():
                context[f"{ancestor}.{name}"] = type_
            for name, type_ in self._inborn(ancestor).items():
                context[f"{ancestor}.{name}"] = type_
                if ancestor == kind and name != "born_at":
                    context.setdefault(name, type_)
        return context

    def _inborn(self, kind: str) -> Types:
        """What entities of `kind` have besides their attributes."""
        inborn: Types = {"id": pa.int64(), "born_at": TIME_TYPE}
        if self.machines[kind] is not None:
            inborn["state"] = STRING_CODES
        for segmentation in self.segmentations[kind]:
            inborn[segmentation.name] = STRING_CODES
        if self.segmentations[kind]:
            inborn["segment"] = STRING_CODES
        return inborn

    def _table(
        self, path: str, attributes: Mapping[str, Attribute], context: Types, subject: str | None = None
    ) -> AttributeTable:
        references = {other: self._known_of(other) for other in self.types if other != subject}
        try:
            table = AttributeTable(attributes, context, references, subject, f"{path}.attributes")
        except ScenarioError as error:
            self.problems.extend(error.problems)
            return AttributeTable({}, context)
        self.readers.add(table.needs)
        self.readers.look_up(table.lookups)
        return table

    def _known_of(self, kind: str) -> Types:
        """What lookups can read of entities of `kind`: not the state, which other shards may not know."""
        inborn = {name: type_ for name, type_ in self._inborn(kind).items() if name not in ("state", "segment")}
        return self.types[kind] | inborn

    def _entity_table(self, kind: str) -> AttributeTable:
        table = self._table(f"entities.{kind}", self.scenario.entities[kind].attributes, self._context(kind), kind)
        self.types[kind] = table.types
        return table

    def _birth_streams(self, kind: str, table: AttributeTable) -> tuple[Stream | None, Stream | None]:
        entity = self.scenario.entities[kind]
        if not entity.emit:
            return None, None
        machine = self.machines[kind]
        own = [s.name for s in self.segmentations[kind]]
        fields = table.schema()
        birth = birth_stream(kind, entity.parent, own, machine is not None, fields, self._rank(), entity.description)
        self.streams.append(birth)
        if machine is None:
            return birth, None
        self.streams.append(transition_stream(kind, self._rank()))
        return birth, self.streams[-1]

    def _rank(self) -> int:
        return len(self.streams)

    def _activity(self, name: str, spec: StreamSpec, entities: float) -> Activity:
        kind = spec.entity
        entity = self.scenario.entities[kind]
        context = self._context(kind)
        table = self._table(f"streams.{name}", spec.attributes, context)
        stream = fact_stream(name, kind, None, table.schema(), self._rank(), spec.description)
        self.streams.append(stream)
        lineage = [self.scenario.entities[name] for name in self.scenario.ancestors(kind)]
        profile = profile_of(self.binder, lineage, self.segmentations[kind], spec)
        values = values_of(entity, self.segmentations[kind], spec.segments)
        return Activity(
            name=name,
            population=self.index[kind],
            profile=self._profile(kind, profile) if spec.every is None else -1,
            rate=spec.rate or 0.0,
            curve=self.binder.product(spec.curves),
            schedule=spec.every,
            states=profile.states,
            values=values,
            table=table,
            children=tuple(
                self._child(f"streams.{name}", name, child, kind, key, table) for key, child in spec.children.items()
            ),
            stream=stream,
            expected=entities * expected_rate(self.scenario, self.binder, spec) * self._run,
        )

    def _child(self, path: str, name: str, child: Child, kind: str, key: str, parent: AttributeTable) -> ChildActivity:
        path = f"{path}.children.{key}"
        entity = self.scenario.entities[kind]
        context = self._context(kind)
        context[f"{name}_id"] = pa.int64()
        context[f"{name}.event_time"] = TIME_TYPE
        context |= {f"{name}.{column}": type_ for column, type_ in parent.types.items()}
        table = self._table(path, child.attributes, context)
        stream = fact_stream(key, kind, name, table.schema(), self._rank(), child.description)
        self.streams.append(stream)
        carried = (need.removeprefix(f"{name}.") for need in table.needs if need.startswith(f"{name}."))
        return ChildActivity(
            name=key,
            count=child.count,
            probability=child.probability,
            after=child.after,
            values=values_of(entity, self.segmentations[kind], {}),
            table=table,
            carried=frozenset(carried),
            children=tuple(
                self._child(path, key, grandchild, kind, own, table) for own, grandchild in child.children.items()
            ),
            stream=stream,
        )

    def _process(self, process: UserProcess) -> None:
        fields = [pa.field(name, kind) for name, kind in process.schema.items()]
        self.streams.append(fact_stream(process.stream, process.entity, None, fields, self._rank(), ""))
        self.readers.add(process.reads)

    def _profile(self, kind: str, profile: Profile) -> int:
        """The number of a profile among those of its population; equal ones share their weights."""
        known = self.profiles[kind]
        for number, other in enumerate(known):
            if _same(profile, other):
                return number
        known.append(profile)
        return len(known) - 1

    def _population(
        self, kind: str, table: AttributeTable, streams: tuple[Stream | None, Stream | None], expected: float
    ) -> Population:
        entity: Entity = self.scenario.entities[kind]
        machine: Machine | None = self.machines[kind]
        segmentations: tuple[Segmentation, ...] = self.segmentations[kind]
        rate, curve = self.arrivals[kind]
        initial = entity.initial.count if entity.initial else 0
        return Population(
            name=kind,
            index=self.index[kind],
            parent=None if entity.parent is None else self.index[entity.parent],
            initial=entity.initial,
            arrivals=entity.arrivals,
            arrival_rate=rate,
            arrival_curve=curve,
            expected=expected,
            nominal=max(initial or round(expected), 1),
            frailty=entity.frailty,
            segmentations=segmentations,
            machine=machine,
            profiles=tuple(self.profiles[kind]),
            values=values_of(entity, segmentations, {}),
            table=table,
            kept=frozenset(self.readers.kept(kind) & set(table.types)),
            # Whoever is looked up needs its ancestors wherever it is known.
            shared=kind in self.readers.shared,
            stream=streams[0],
            transitions=streams[1],
        )

    def _check(self) -> None:
        """Raise ScenarioError for all problems found so far, of limits, and of names."""
        seen: set[str] = set()
        problems = self.problems
        problems.extend(limit_problems(self.scenario, self.binder))
        for stream in self.streams:
            if stream.name in seen:
                problems.append(Problem(0, "", f"two streams are called {stream.name!r}; rename one of them"))
            names = stream.schema.names
            twice = sorted({name for name in names if names.count(name) > 1})
            problems.extend(Problem(0, stream.name, f"two columns are called {name!r}; rename one") for name in twice)
            seen.add(stream.name)
        if problems:
            raise ScenarioError(problems)

    def _words(self) -> tuple[str, ...]:
        lines = []
        for kind in self.order:
            parts = ["births"] + (["lifecycle"] if self.machines[kind] else [])
            parts += [name for name, spec in self.scenario.streams.items() if spec.entity == kind]
            lines.append(f"{kind}: {' -> '.join(parts)}")
        return tuple(lines)


def _same(one: Profile, other: Profile) -> bool:
    return (
        len(one.segments) == len(other.segments)
        and all((a == b).all() for a, b in zip(one.segments, other.segments, strict=True))
        and one.vintage == other.vintage
        and one.cohort is other.cohort
        and all((a.factors == b.factors).all() for a, b in zip(one.states, other.states, strict=True))
    )


def digest(scenario: Scenario) -> str:
    """SHA-256 of what the scenario says (not of how it is written) and of the language's version, in hexadecimal."""
    text = json.dumps([LANGUAGE_VERSION, scenario.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
