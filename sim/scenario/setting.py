"""Checks what facts set, on the raw document: that it is an attribute of the entity, and what the values read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.attributes.expressions import program
from sim.maths.model import shown
from sim.scenario.columns import around, before
from sim.scenario.document import Path
from sim.scenario.sources import Source, columns_of, inborn, source_of, sources
from sim.scenario.words import nearest
from sim.scenario.world import World, mapping


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something is set: by facts of `entity`, which have `columns` of their own."""

    path: Path
    sets: Mapping[str, Any]
    entity: str
    columns: frozenset[str]


def check_sets(world: World) -> None:
    """Report attributes that are set and do not exist, values that read unknown columns, and lookups that match."""
    changing: set[tuple[str, str]] = set()
    for place in _places(world):
        for key, value in place.sets.items():
            _check_value(world, place, str(key), value)
            owner, _, name = str(key).rpartition(".")
            if _check_target(world, place, owner, name):
                changing.update((owner or place.entity, column) for column in (name, f"{name}_id"))
    _check_matches(world, changing)


def _places(world: World) -> Iterator[_Place]:
    known = sources(world)
    for fact in world.facts():
        if world.has(fact.entity):
            columns = _columns(fact.spec, known, fact.parent or source_of(fact.spec)) | {f"{fact.name}_id"}
            yield _Place((*fact.path, "sets"), mapping(fact.spec.get("sets")), fact.entity, columns)
    for name, spec in world.processes.items():
        if world.has(spec.get("entity")):
            columns = known[name].columns | set(columns_of(mapping(spec.get("attributes"))))
            for step, does in mapping(spec.get("steps")).items():
                path = ("processes", name, "steps", step, "sets")
                yield _Place(path, mapping(mapping(does).get("sets")), spec["entity"], columns)


def _columns(spec: Mapping[str, Any], known: Mapping[str, Source], above: str | None) -> frozenset[str]:
    return frozenset(columns_of(mapping(spec.get("attributes")))) | before(above, known)


def _check_target(world: World, place: _Place, owner: str, name: str) -> bool:
    """Whether `owner` is the entity of the facts or an ancestor, and `name` one of its attributes."""
    lineage = world.lineage(place.entity)
    path = (*place.path, f"{owner}.{name}" if owner else name)
    if owner and owner not in lineage:
        message = f"{shown(owner)} is not {place.entity} or an entity that it belongs to{nearest(owner, lineage)}"
        world.report(path, message)
        return False
    kind = owner or place.entity
    attributes = set(columns_of(mapping(world.entities[kind].get("attributes"))))
    if name in attributes:
        return True
    if name == "state":
        message = "'state' is not set: a transition of the lifecycle with `on` changes it"
    elif name in inborn(world, kind):
        message = f"{shown(name)} is not an attribute: it stays as it is at birth"
    else:
        message = f"{shown(name)} is not an attribute of {kind}{nearest(name, sorted(attributes))}"
    world.report(path, message)
    return False


def _check_value(world: World, place: _Place, key: str, value: Any) -> None:
    try:
        reads = program(value).reads if isinstance(value, str) else frozenset()
    except ValueError:  # reported by the check of shapes
        return
    readable = place.columns | around(world, place.entity)
    for name in sorted(reads - readable):
        plain = sorted(readable, key=lambda word: (word not in place.columns, word))
        world.report((*place.path, key), f"{shown(name)} is not a column here{nearest(name, plain)}")


def _check_matches(world: World, changing: set[tuple[str, str]]) -> None:
    """Lookups find others by what they are born with."""
    for path, kind, name in _matched(world):
        if (kind, name) in changing:
            message = f"{kind}.{name} is set by facts; match on what stays, such as a segmentation"
            world.report(path, message)


def _matched(world: World) -> Iterator[tuple[Path, str, str]]:
    """What lookups match on: path, kind, name."""
    for path, spec in _attributes(world):
        kind = spec.get("entity")
        if spec.get("type") == "lookup" and isinstance(kind, str) and world.has(kind):
            for name in mapping(spec.get("match")):
                yield (*path, "match", name), kind, str(name)


def _attributes(world: World) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """All attributes of the document."""
    tables: list[tuple[Path, Any]] = []
    tables += [(("entities", name, "attributes"), spec.get("attributes")) for name, spec in world.entities.items()]
    tables += [((*fact.path, "attributes"), fact.spec.get("attributes")) for fact in world.facts()]
    for name, spec in world.processes.items():
        tables += [(("processes", name, key), spec.get(key)) for key in ("attributes", "each")]
    for path, given in tables:
        for name, attribute in mapping(given).items():
            yield (*path, name), mapping(attribute)
