"""Where values that depend on an entity's past can be, and who can share them: checked when a scenario is compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.attributes.attribute import Attribute
from sim.attributes.sequential import Sequential
from sim.errors import Problem
from sim.maths.model import shown
from sim.scenario.schema import Child, Scenario

_Found = tuple[str, str, Sequential, bool]
"""Path, kind of entity, attribute, and whether its stream follows from another."""


def sharing_problems(scenario: Scenario) -> Iterator[Problem]:
    """All of a scenario's problems of this kind."""
    yield from _misplaced(scenario)
    shared: dict[tuple[str, str], _Found] = {}
    for found in _of_streams(scenario):
        path, kind, spec, _ = found
        if spec.shared is not None:
            first = shared.setdefault((kind, spec.shared), found)
            if first is not found:
                yield from _disagreements(path, spec, first, found)


def _misplaced(scenario: Scenario) -> Iterator[Problem]:
    """Entities have no fact before their birth, and cases carry along what they began with."""
    message = "follows from an entity's facts in their order; put it on a stream"
    for kind, entity in scenario.entities.items():
        for name, _ in _sequential(entity.attributes):
            yield Problem(0, f"entities.{kind}.attributes.{name}", message)
    for name, process in scenario.processes.items():
        for key, attributes in (("attributes", process.attributes), ("each", process.each)):
            for attribute, _ in _sequential(attributes):
                yield Problem(0, f"processes.{name}.{key}.{attribute}", message)


def _of_streams(scenario: Scenario) -> Iterator[_Found]:
    for name, stream in scenario.streams.items():
        path, later = f"streams.{name}", stream.on is not None
        for attribute, spec in _sequential(stream.attributes):
            yield f"{path}.attributes.{attribute}", stream.entity, spec, later
        yield from _of_children(path, stream.entity, stream.children)


def _of_children(path: str, kind: str, children: Mapping[str, Child]) -> Iterator[_Found]:
    for name, child in children.items():
        inner = f"{path}.children.{name}"
        for attribute, spec in _sequential(child.attributes):
            yield f"{inner}.attributes.{attribute}", kind, spec, True
        yield from _of_children(inner, kind, child.children)


def _sequential(attributes: Mapping[str, Attribute]) -> Iterator[tuple[str, Sequential]]:
    return ((name, spec) for name, spec in attributes.items() if isinstance(spec, Sequential))


def _disagreements(path: str, spec: Sequential, first: _Found, found: _Found) -> Iterator[Problem]:
    name = shown(spec.shared)
    if first[3] or found[3]:
        message = f"shares {name} with {first[0]}, which only streams at a rate or on a schedule can"
        yield Problem(0, path, f"{message}: what follows from other facts is made after them")
        return
    for key in ("type", *spec.agreed):
        here, there = getattr(spec, key), getattr(first[2], key, None)
        if here != there:
            message = f"{shown(here)}, but {first[0]}, which shares {name}, has {shown(there)}"
            yield Problem(0, f"{path}.{key}", message)
            return
