"""How many facts a scenario gives, roughly: enough to choose a tick and to say what no machine could hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sim.model.binding import Binder
from sim.model.flows import start_of
from sim.model.sizes import changes_per_microsecond, expected_rate
from sim.scenario.processes import Process
from sim.scenario.schema import Child, Scenario, StreamSpec
from sim.scenario.triggers import On

_ROUNDS = 64
"""Steps of a case that count."""


def volumes(scenario: Scenario, binder: Binder, entities: Mapping[str, float]) -> dict[str, float]:
    """Expected facts of every stream by name, as if all conditions held and no state made a difference."""
    return _Volumes(scenario, binder, entities).all()


def visits(process: Process) -> float:
    """Mean number of steps of a case, before factors."""
    steps = list(process.steps)
    ways = np.zeros((len(steps), len(steps)))
    for place, step in enumerate(process.steps.values()):
        for branch in step.next:
            ways[place, steps.index(branch.to)] += branch.probability
    limits = np.array([step.limit or np.inf for step in process.steps.values()])
    first = np.array([process.initial.get(name, 0.0) for name in steps])
    here = total = first / first.sum()
    for _ in range(_ROUNDS):
        here = np.minimum(here @ ways, limits - np.minimum(total, limits))
        total = total + here
    return float(total.sum())


def _setters(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Each stream or process that sets attributes, with the kind of entity that it changes; once for each."""
    families: list[tuple[str, str, StreamSpec | Child]] = [
        (name, spec.entity, spec) for name, spec in scenario.streams.items()
    ]
    while families:
        name, kind, spec = families.pop()
        yield from ((name, owner) for owner in {target.rpartition(".")[0] or kind for target in spec.sets})
        families += [(key, kind, child) for key, child in spec.children.items()]
    for name, process in scenario.processes.items():
        sets = {target for step in process.steps.values() for target in step.sets}
        yield from ((name, owner) for owner in {target.rpartition(".")[0] or process.entity for target in sets})


class _Volumes:
    def __init__(self, scenario: Scenario, binder: Binder, entities: Mapping[str, float]) -> None:
        self._scenario = scenario
        self._binder = binder
        self._entities = entities
        self._run = scenario.end - scenario.start
        self._found: dict[str, float] = {}

    def all(self) -> dict[str, float]:
        for kind, entity in self._scenario.entities.items():
            self._found[kind] = self._entities[kind]
            if entity.lifecycle is not None:
                changes = changes_per_microsecond(entity.lifecycle, self._run)
                self._found[f"{kind}_lifecycle"] = self._entities[kind] * changes * self._run
        for name, spec in self._scenario.streams.items():
            if spec.on is None:
                rate = expected_rate(self._scenario, self._binder, spec)
                self._add(name, self._entities[spec.entity] * rate * self._run, spec.children)
        waiting = list(self._followers())
        while waiting:
            left = [name for name in waiting if not self._follow(name)]
            if len(left) == len(waiting):
                break  # what follows from nothing that is known gives nothing
            waiting = left
        self._found |= dict(self._histories())
        return self._found

    def _histories(self) -> Iterator[tuple[str, float]]:
        """The streams of histories, as if every fact that sets something changed it."""
        for kind, entity in self._scenario.entities.items():
            if (history := entity.history) is None:
                continue
            known, count = self._found, self._entities[kind]
            set_ = sum(known.get(name, 0.0) for name, owner in _setters(self._scenario) if owner == kind)
            points = count + known.get(f"{kind}_lifecycle", 0.0) + set_
            for name, told in (("change", history.changes), ("version", history.versions)):
                yield from [(f"{kind}_{name}", points)] if told else ()
            if history.snapshots is not None:
                yield f"{kind}_snapshot", count * self._run / history.snapshots.duration

    def _followers(self) -> Iterator[str]:
        yield from self._scenario.processes
        yield from (name for name, spec in self._scenario.streams.items() if spec.on is not None)

    def _follow(self, name: str) -> bool:
        """Add a process or a stream that follows from another, if that one is known."""
        process = self._scenario.processes.get(name)
        if process is None:
            spec = self._scenario.streams[name]
            starts = self._starts(spec.on, spec.count.mean())
            if starts is not None:
                self._add(name, starts, spec.children)
            return starts is not None
        cases = self._starts(process.start.on, process.count.mean())
        if process.start.on is None:
            rate = expected_rate(self._scenario, self._binder, start_of(process))
            cases = self._entities[process.entity] * rate * self._run * process.count.mean()
        if cases is not None:
            self._found[name] = cases * visits(process)
            self._found |= {f"{name}_case": cases} if process.cases else {}
        return cases is not None

    def _starts(self, on: On | None, count: float) -> float | None:
        if on is None or on.stream not in self._found:
            return None
        return self._found[on.stream] * on.probability * count

    def _add(self, name: str, facts: float, children: Mapping[str, Child]) -> None:
        self._found[name] = facts
        for key, child in children.items():
            self._add(key, facts * child.probability * child.count.mean(), child.children)
