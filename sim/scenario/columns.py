"""Checks the names that attributes read: columns of their row, entities that they look up, attributes of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sim.attributes.attribute import Attribute
from sim.attributes.registry import AnyAttribute
from sim.maths.model import shown
from sim.scenario.cycles import cycle
from sim.scenario.document import Path
from sim.scenario.words import nearest
from sim.scenario.world import Fact, World, mapping

_ALWAYS = ("event_time", "age")
_INBORN = ("id", "born_at")


@dataclass
class Table:
    """The attributes of one kind of row: those that have the right shape, and the other names that they may read."""

    path: Path
    entity: str
    attributes: dict[str, Attribute]
    names: set[str]
    around: set[str] = field(default_factory=set)

    def readable(self) -> set[str]:
        """Everything that an attribute may read by name, but for what it looks up."""
        return self.names | self.around


def check_columns(world: World) -> None:
    """Report attributes that read what is not there, look up unknown entities, or wait for each other."""
    for name, entity in world.entities.items():
        table = _table(("entities", name), name, entity, _around(world, name) - _own(world, name))
        _check(world, table)
    for fact in world.facts():
        if fact.entity in world.entities:
            around = _around(world, fact.entity) | _parent_columns(world, fact)
            _check(world, _table(fact.path, fact.entity, fact.spec, around))


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Attribute]:
    return TypeAdapter(AnyAttribute)


def _table(path: Path, entity: str, spec: Mapping[str, Any], around: set[str]) -> Table:
    given = mapping(spec.get("attributes"))
    attributes = {}
    for name, value in given.items():
        try:
            attributes[name] = _adapter().validate_python(value)
        except ValidationError:  # reported by the check of shapes
            continue
    return Table((*path, "attributes"), entity, attributes, set(_columns(given)), around)


def _columns(attributes: Mapping[str, Any]) -> Iterator[str]:
    """The names under which attributes are read: their own, and with `_id` for what they look up."""
    for name, spec in attributes.items():
        yield str(name)
        if mapping(spec).get("type") == "lookup":
            yield f"{name}_id"


def _own(world: World, entity: str) -> set[str]:
    return {f"{entity}.{column}" for column in _columns(mapping(world.entities[entity].get("attributes")))}


def _inborn(world: World, entity: str) -> set[str]:
    """What entities have besides their attributes."""
    segmentations = world.segmentations(entity)
    states = {"state"} if "lifecycle" in world.entities[entity] else set()
    return {*_INBORN, *states, *segmentations, *(["segment"] if segmentations else [])}


def _around(world: World, entity: str) -> set[str]:
    """What rows of `entity` can read besides their own attributes."""
    names = {*_ALWAYS, *(_inborn(world, entity) - set(_INBORN))}
    for kind in world.lineage(entity):
        names.add(f"{kind}_id")
        names.update(f"{kind}.{name}" for name in _inborn(world, kind))
        names.update(_own(world, kind))
    return names


def _parent_columns(world: World, fact: Fact) -> set[str]:
    """What children can read of the fact that they follow from."""
    if fact.parent is None:
        return set()
    above = next(other for other in world.facts() if other.path == fact.path[:-2])
    columns = _columns(mapping(above.spec.get("attributes")))
    return {f"{fact.parent}_id", *(f"{fact.parent}.{column}" for column in columns)}


def _check(world: World, table: Table) -> None:
    for name, attribute in table.attributes.items():
        path = (*table.path, name)
        _check_lookup(world, table, path, attribute)
        for need in sorted(attribute.needs()):
            _check_need(world, table, path, need)
    waits = {name: _siblings(table, attribute) for name, attribute in table.attributes.items()}
    found = cycle(waits)
    if found:
        world.report((*table.path, found[0]), f"attributes wait for each other: {' -> '.join(found)}")


def _siblings(table: Table, attribute: Attribute) -> list[str]:
    reads = {need.partition(".")[0] for need in attribute.needs() if need not in table.around}
    return sorted(name for name in reads if name in table.attributes)


def _check_lookup(world: World, table: Table, path: Path, attribute: Attribute) -> None:
    for kind in attribute.looks_up():
        if kind not in world.entities:
            world.report((*path, "entity"), f"{shown(kind)} is not an entity{nearest(kind, world.entities)}")
            continue
        known = _readable_of(world, kind)
        for name in sorted(attribute.reads_of(kind) - known):
            world.report((*path, "match"), f"{shown(name)} is not an attribute of {kind}{nearest(name, known)}")
    _check_relation(world, table, path, attribute)


def _check_relation(world: World, table: Table, path: Path, attribute: Attribute) -> None:
    """Own children and ancestors must be what they are called."""
    of, kind = getattr(attribute, "of", None), getattr(attribute, "entity", None)
    if of == "parent" and kind not in world.lineage(table.entity)[1:]:
        ancestors = world.lineage(table.entity)[1:]
        world.report((*path, "entity"), f"{shown(kind)} is not an ancestor of {table.entity}{nearest(kind, ancestors)}")
    if of == "own" and mapping(world.entities.get(str(kind))).get("parent") != table.entity:
        world.report((*path, "entity"), f"{shown(kind)} has not {table.entity} as its parent")


def _readable_of(world: World, kind: str) -> set[str]:
    """What can be read of an entity that is looked up; not its state, which may change."""
    return {*_columns(mapping(world.entities[kind].get("attributes"))), *(_inborn(world, kind) - {"state"})}


def _check_need(world: World, table: Table, path: Path, need: str) -> None:
    if need in table.readable():
        return
    lookup, _, column = need.partition(".")
    kind = getattr(table.attributes.get(lookup), "entity", None)
    if column and kind in world.entities:
        known = _readable_of(world, str(kind))
        if column not in known:
            world.report(_sql(world, path), f"{shown(need)}: {kind} has no {shown(column)}{nearest(column, known)}")
        return
    if column and lookup in table.names and lookup not in table.attributes:
        return  # a lookup with problems of its own
    known = table.readable() - {path[-1]}
    message = f"{shown(need)} is not a column here{nearest(need, sorted(known, key=_plain_first))}"
    world.report(_sql(world, path), message)


def _plain_first(name: str) -> tuple[int, str]:
    return name.count("."), name


def _sql(world: World, path: Path) -> Path:
    """The attribute's expression if it has one, since that is where it names columns."""
    spec: Any = world.document.data
    for part in path:
        spec = mapping(spec).get(str(part))
    return (*path, "sql") if "sql" in mapping(spec) else path
