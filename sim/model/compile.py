"""From a scenario to a model: names to codes, curves bound, order of dependencies, tick, schemas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.errors import Problem, ScenarioError
from sim.maths.curves import BoundCurve, product_of
from sim.maths.diffusion import Bass, Diffusion
from sim.model.binding import Binder
from sim.model.births import births_of
from sim.model.changing import arrange, await_cuts, await_ends, everywhere
from sim.model.expected import expectation_problems
from sim.model.facts import add_process, facts_of
from sim.model.faulty import fault_problems
from sim.model.ground import Ground
from sim.model.incidents import disturbances_of, hits_of, incidents_of
from sim.model.limits import limit_problems, size_problems
from sim.model.model import Machine, Model, Population, Trigger
from sim.model.needs import arrival_order
from sim.model.order import words
from sim.model.process import UserProcess, check_process
from sim.model.resources import resources_of, sharing
from sim.model.segments import machine_of, segmentations_of, values_of
from sim.model.sharing import sharing_problems
from sim.model.sizes import choose_tick, expected_entities
from sim.model.tables import Tables
from sim.model.telling import told
from sim.model.triggering import conception, pushes
from sim.model.volumes import volumes
from sim.scenario.schema import Entity, Scenario

LANGUAGE_VERSION = 1
"""Raised whenever the same scenario and seed give other facts than before."""


def compile_scenario(scenario: Scenario, processes: Sequence[UserProcess] = ()) -> Model:
    """The model of `scenario`, with the streams of a user's own `processes`; raises ScenarioError."""
    try:
        return _Compiler(scenario, tuple(processes)).model()
    except ScenarioError as error:
        raise ScenarioError([scenario.place(problem) for problem in error.problems]) from None


class _Compiler:
    def __init__(self, scenario: Scenario, processes: tuple[UserProcess, ...]) -> None:
        self.scenario = scenario
        self.processes = processes
        self.binder = Binder(scenario)
        self.order = arrival_order(scenario)
        self.index = {kind: number for number, kind in enumerate(self.order)}
        self.segmentations = {kind: segmentations_of(scenario, kind, self.index) for kind in self.order}
        self.tables = Tables(scenario, self.segmentations)
        self.arrivals = {kind: self._arrivals(scenario.entities[kind]) for kind in self.order}
        self.entities = expected_entities(scenario, self.arrivals)
        self.ground = Ground(scenario, self.binder, self.index, self.segmentations, self.tables, self.entities)
        self.ground.hits = hits_of(scenario, self.binder, self.segmentations)

    def model(self) -> Model:
        tables = {kind: self.tables.of_entity(kind) for kind in self.order}
        streams = {kind: births_of(self.ground, kind, tables[kind]) for kind in self.order}
        activities, followers, flows = facts_of(self.ground)
        for process in self.processes:
            check_process(process, self.tables.types)
            add_process(self.ground, process)
        incidents = incidents_of(self.ground)
        triggers = {kind: conception(self.ground, kind) for kind in self.order}
        machines = {kind: self._machine(kind) for kind in self.order}
        resources = resources_of(self.ground)
        late = [*arrange(self.ground.graph), *await_ends(self.ground), *await_cuts(self.ground)]
        everywhere(self.ground, self.tables.readers.looked_up)
        chronicles = told(self.ground)
        disturbances = disturbances_of(self.ground, incidents)
        self._check()
        found = volumes(self.scenario, self.binder, self.entities)
        nodes = self.ground.graph.order()
        return Model(
            name=self.scenario.name,
            digest=digest(self.scenario),
            seed=self.scenario.seed,
            timeline=self.binder.timeline,
            tick=self._tick(sum(found.values())),
            blocks=self.scenario.blocks,
            curves=self.binder.curves,
            populations=tuple(
                self._population(kind, tables[kind], machines[kind], triggers[kind], streams[kind])
                for kind in self.order
            ),
            activities=activities,
            followers=followers,
            flows=flows,
            resources=resources,
            chronicles=chronicles,
            disturbances=disturbances,
            nodes=nodes,
            streams=tuple(self.ground.streams),
            processes=self.processes,
            order=(*words(nodes, self.order, machines), *late, *sharing(resources)),
            faults=self.scenario.faults,
            volumes=found,
        )

    def _tick(self, facts: float) -> int:
        return choose_tick(self.scenario, facts / (self.scenario.end - self.scenario.start))

    def _arrivals(self, entity: Entity) -> tuple[float, BoundCurve]:
        """Births per microsecond where the curve is 1, and the curve."""
        arrivals = entity.arrivals
        curve = self.binder.product(arrivals.curves if arrivals is not None else [])
        if arrivals is None or (arrivals.rate is None and arrivals.diffusion is None):
            return 0.0, curve
        if arrivals.diffusion is None:
            assert arrivals.rate is not None
            return arrivals.rate, curve
        spec = arrivals.diffusion
        diffusion = Diffusion(Bass(spec.p, spec.q), float(spec.market), self.scenario.start)
        return 1.0, product_of([diffusion, curve]) if arrivals.curves else diffusion

    def _machine(self, kind: str) -> Machine | None:
        """The lifecycle of `kind`; what its transitions are triggered by is settled."""
        entity = self.scenario.entities[kind]
        return machine_of(self.binder, entity, self.segmentations[kind], pushes(self.ground, kind))

    def _population(
        self,
        kind: str,
        table: AttributeTable,
        machine: Machine | None,
        trigger: Trigger | None,
        streams: tuple[Stream | None, Stream | None],
    ) -> Population:
        entity = self.scenario.entities[kind]
        rate, curve = self.arrivals[kind]
        initial = entity.initial.count if entity.initial else 0
        return Population(
            name=kind,
            index=self.index[kind],
            parent=None if entity.parent is None else self.index[entity.parent],
            trigger=trigger,
            initial=entity.initial,
            arrivals=entity.arrivals,
            arrival_rate=rate,
            arrival_curve=curve,
            expected=self.entities[kind],
            nominal=max(initial or round(self.entities[kind]), 1),
            frailty=entity.frailty,
            segmentations=self.segmentations[kind],
            machine=machine,
            profiles=tuple(self.ground.profiles.get(kind, ())),
            values=values_of(entity, self.segmentations[kind], {}),
            table=table,
            kept=frozenset(table.types if entity.history else self.tables.readers.kept(kind) & set(table.types)),
            changing=frozenset(self.ground.changing.get(kind, ())),
            mortal=self.ground.mortal(kind),
            # Whoever is looked up needs its ancestors wherever it is known.
            shared=kind in self.tables.readers.shared,
            stream=streams[0],
            transitions=streams[1],
        )

    def _check(self) -> None:
        """Raise ScenarioError for all problems found so far, of limits, and of names."""
        problems = [*self.tables.problems, *limit_problems(self.scenario, self.binder)]
        problems += sharing_problems(self.scenario)
        problems += size_problems(self.scenario, self.binder, self.entities)
        problems += _name_problems(self.ground.streams)
        problems += fault_problems(self.scenario.faults, self.ground.streams)
        problems += expectation_problems(self.scenario.expect, self.ground.streams)
        if problems:
            raise ScenarioError(problems)


def _name_problems(streams: Sequence[Stream]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for stream in streams:
        if stream.name in seen:
            problems.append(Problem(0, "", f"two streams are called {stream.name!r}; rename one of them"))
        names = stream.schema.names
        twice = sorted({name for name in names if names.count(name) > 1})
        problems.extend(Problem(0, stream.name, f"two columns are called {name!r}; rename one") for name in twice)
        seen.add(stream.name)
    return problems


def digest(scenario: Scenario) -> str:
    """SHA-256 of what the scenario says (not of how it is written) and of the language's version, in hexadecimal."""
    said = scenario.model_dump(mode="json", exclude={"expect"})  # no fact depends on what is expected
    text = json.dumps([LANGUAGE_VERSION, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
