"""Checks every name that refers to another part of the scenario, on the raw document.

Working on what stands in the file, and not on finished models, lets one run report wrong names beside wrong shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.errors import Problem
from sim.maths.model import shown
from sim.scenario.causes import check_triggers
from sim.scenario.columns import check_columns
from sim.scenario.contention import check_resources, uses_resources
from sim.scenario.cycles import cycle
from sim.scenario.document import Document, Path
from sim.scenario.lifecycles import check_lifecycles, check_segments, check_states
from sim.scenario.schema import Scenario
from sim.scenario.setting import check_sets
from sim.scenario.shape import child, keys, models, tags
from sim.scenario.sources import histories
from sim.scenario.steps import check_processes
from sim.scenario.suspects import check_incidents
from sim.scenario.words import nearest
from sim.scenario.world import World, listed, mapping


def reference_problems(document: Document) -> list[Problem]:
    """All problems with names (of curves, entities, states, segments, steps, streams, columns) and with processes."""
    world = World(document)
    _check_curves(world)
    _check_parents(world)
    _check_facts(world)
    _check_stream_names(world)
    check_lifecycles(world)
    check_processes(world)
    check_resources(world)
    check_incidents(world)
    check_triggers(world)
    check_columns(world)
    check_sets(world)
    return world.problems


def _check_curves(world: World) -> None:
    for path, name in _curve_names(world):
        if name not in world.curves:
            world.report(path, f"{shown(name)} is not a curve{nearest(name, world.curves)}")
    graph = {name: list(_factors(curve)) for name, curve in world.curves.items()}
    found = cycle({name: [other for other in needs if other in graph] for name, needs in graph.items()})
    if found:
        world.report(("curves", found[0]), f"is a product of itself: {' -> '.join(found)}")


def _curve_names(world: World) -> Iterator[tuple[Path, str]]:
    """Every place of the document that should hold the name of a curve, and holds a text."""
    for path, model, spec in models(Scenario, world.document.data):
        for key, annotation in keys(model).items():
            value = spec.get(key)
            if isinstance(value, str) and _refers(annotation):
                yield (*path, key), value
            if isinstance(value, list) and _refers(child(annotation, 0)):
                yield from (((*path, key, place), item) for place, item in enumerate(value) if isinstance(item, str))


def _refers(annotation: Any) -> bool:
    return {"name", "inline"} <= tags(annotation).keys()


def _factors(curve: Any) -> Iterator[str]:
    for part in listed(mapping(curve).get("curves")):
        if isinstance(part, str):
            yield part
        else:
            yield from _factors(part)


def _check_parents(world: World) -> None:
    for name, entity in world.entities.items():
        _known_entity(world, ("entities", name, "parent"), entity.get("parent"))
    parents = {name: [str(entity.get("parent"))] for name, entity in world.entities.items() if entity.get("parent")}
    found = cycle(parents)
    if found:
        world.report(("entities", found[0], "parent"), f"is its own ancestor: {' -> '.join(found)}")


def _known_entity(world: World, path: Path, name: Any) -> None:
    if isinstance(name, str) and name not in world.entities:
        world.report(path, f"{shown(name)} is not an entity{nearest(name, world.entities)}")


def _check_facts(world: World) -> None:
    for name, process in world.processes.items():
        _known_entity(world, ("processes", name, "entity"), process.get("entity"))
    for fact in world.facts():
        if fact.parent is None:
            _known_entity(world, (*fact.path, "entity"), fact.spec.get("entity"))
        if fact.parent is None and fact.entity in world.entities:
            check_states(world, (*fact.path, "states"), fact.spec.get("states"), fact.entity)
            check_segments(world, (*fact.path, "segments"), fact.spec.get("segments"), fact.entity)


def _check_stream_names(world: World) -> None:
    """Births, transitions, facts, children, steps and cases are streams side by side, so their names must differ."""
    taken: dict[str, str] = {}
    for name, entity in world.entities.items():
        if entity.get("emit") is not False:
            taken[name] = f"the births of the entity {name}"
            if "lifecycle" in entity:
                taken[f"{name}_lifecycle"] = f"the transitions of the entity {name}"
    for name, entity in world.entities.items():
        for key, stream in histories(name, entity):
            taken.setdefault(stream, f"the {key} of the entity {name}")
    named = [(fact.path, fact.name, "the stream") for fact in world.facts()]
    named += [(("processes", name), name, "the process") for name in world.processes]
    named += [
        (("processes", name), f"{name}_case", "the finished cases of the process")
        for name, process in world.processes.items()
        if process.get("cases") is True
    ]
    named += [
        (("processes", name), f"{name}_service", "the visits to resources of the process")
        for name, process in world.processes.items()
        if uses_resources(process)
    ]
    if world.document.data.get("resources"):
        taken["resource_load"] = "the load of the resources"
    if world.document.data.get("incidents") and world.document.data.get("ground_truth") is not False:
        taken |= {"incident": "the incidents", "incident_fact": "the facts that incidents have hit"}
    for path, name, what in named:
        if name in taken:
            world.report(path, f"{name!r} is taken by {taken[name]}; streams need names of their own")
        taken.setdefault(name, f"{what} {path[-1]}")
