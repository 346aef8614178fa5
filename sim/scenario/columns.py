"""Checks the names that attributes read: columns of their row, entities that they look up, attributes of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sim.attributes.attribute import Attribute
from sim.attributes.registry import AnyAttribute
from sim.maths.model import shown
from sim.scenario.cycles import cycle
from sim.scenario.document import Path
from sim.scenario.incidents import LABEL
from sim.scenario.sources import Source, column_of, columns_of, inborn, label_of, source_of, sources
from sim.scenario.words import nearest
from sim.scenario.world import World, mapping

_ALWAYS = ("event_time", "age")


@dataclass
class Table:
    """The attributes of one kind of row: those that have the right shape, and the other names that they may read.

    `columns` are the names of all attributes, also of misshapen ones, `around` what the rows have anyway, and `fixed`
    the columns of the stream that are no attributes.
    """

    path: Path
    entity: str
    attributes: dict[str, Attribute]
    columns: set[str]
    around: set[str]
    fixed: set[str]

    def readable(self, name: str) -> set[str]:
        """Everything that the attribute `name` may read, but for what is looked up. Its own name is another's."""
        return (self.columns - {name}) | self.around


def check_columns(world: World) -> None:
    """Report attributes that read what is not there, look up unknown entities, or wait for each other."""
    known = sources(world)
    for name, entity in world.entities.items():
        readable = around(world, name) - _own(world, name)
        _check(world, _table(("entities", name), name, entity, readable, set(known[name].fixed)))
    for fact in world.facts():
        if fact.entity in world.entities:
            above = fact.parent or source_of(fact.spec)
            readable = around(world, fact.entity) | before(above, known)
            ids = {f"{fact.name}_id", f"{fact.entity}_id", f"{above or fact.name}_id"}
            fixed = {"event_time", *ids, *label_of(fact.spec)}
            _check(world, _table(fact.path, fact.entity, fact.spec, readable, fixed))
    for name, spec in world.processes.items():
        if world.has(spec.get("entity")):
            readable = around(world, spec["entity"]) | before(source_of(mapping(spec.get("start"))), known)
            case = known.get(f"{name}_case") if spec.get("cases") is True else None
            fixed = {*known[name].fixed, *(case.fixed if case is not None else ())}
            _check(world, _table(("processes", name), spec["entity"], spec, readable, fixed))
            _check(world, _each(world, name, spec, known[name]))


def _each(world: World, name: str, spec: Mapping[str, Any], steps: Source) -> Table:
    """What is drawn at every step of a process; it may read the step and what the case carries along."""
    carried = set(columns_of(mapping(spec.get("attributes"))))
    readable = around(world, spec["entity"]) | carried | {"step", "step_index", f"{name}_case_id"}
    return _table(("processes", name), spec["entity"], spec, readable, {*steps.fixed, *carried}, "each")


def before(name: str | None, known: Mapping[str, Source]) -> set[str]:
    """What rows can read of the fact that they follow from."""
    if name is None or name not in known:
        return set()
    return {f"{name}_id", *(f"{name}.{column}" for column in known[name].columns - {known[name].id})}


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Attribute]:
    return TypeAdapter(AnyAttribute)


def _table(
    path: Path, entity: str, spec: Mapping[str, Any], around: set[str], fixed: set[str], key: str = "attributes"
) -> Table:
    given = mapping(spec.get(key))
    attributes = {}
    for name, value in given.items():
        try:
            attributes[name] = _adapter().validate_python(value)
        except ValidationError:  # reported by the check of shapes
            continue
    return Table((*path, key), entity, attributes, set(columns_of(given)), around, fixed)


def _own(world: World, entity: str) -> set[str]:
    return {f"{entity}.{column}" for column in columns_of(mapping(world.entities[entity].get("attributes")))}


def around(world: World, entity: str) -> set[str]:
    """What rows of `entity` can read besides their own attributes."""
    names = {*_ALWAYS, *(inborn(world, entity) - {"born_at"})}
    names |= {LABEL} if world.document.data.get("incidents") else set()
    for kind in world.lineage(entity):
        names.add(f"{kind}_id")
        names.update(f"{kind}.{name}" for name in inborn(world, kind))
        names.update(_own(world, kind))
    return names


def _check(world: World, table: Table) -> None:
    for name, attribute in table.attributes.items():
        path = (*table.path, name)
        _check_lookup(world, table, path, attribute)
        for need in sorted(attribute.needs()):
            _check_need(world, table, path, need)
    _check_names(world, table)
    waits = {name: _siblings(table, name, attribute) for name, attribute in table.attributes.items()}
    found = cycle(waits)
    if found:
        world.report((*table.path, found[0]), f"attributes wait for each other: {' -> '.join(found)}")


def _check_names(world: World, table: Table) -> None:
    """Columns need names of their own, also beside those that every stream has."""
    taken = dict.fromkeys(table.fixed, "every row")
    for name, spec in mapping(world.document.at(table.path)).items():
        column = column_of(str(name), spec)
        if column in taken:
            message = f"the column {shown(column)} is there already, by {taken[column]}; choose another name"
            world.report((*table.path, name), message)
        taken.setdefault(column, f"the attribute {name}")


def _siblings(table: Table, name: str, attribute: Attribute) -> list[str]:
    """The attributes that `attribute` waits for."""
    by_column = {
        column_of(other, {"type": getattr(spec, "type", "")}): other for other, spec in table.attributes.items()
    }
    found = set()
    for need in attribute.needs():
        other = need if need in table.attributes else by_column.get(need, need.partition(".")[0])
        if other in table.attributes and other != name:
            found.add(other)
    return sorted(found)


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
    """What can be read of an entity that is looked up; not its state, which changes while others look."""
    return {*columns_of(mapping(world.entities[kind].get("attributes"))), *(inborn(world, kind) - {"state", "segment"})}


def _check_need(world: World, table: Table, path: Path, need: str) -> None:
    name = str(path[-1])
    if need in table.readable(name):
        return
    lookup, _, column = need.partition(".")
    kind = getattr(table.attributes.get(lookup), "entity", None)
    if column and kind in world.entities:
        known = _readable_of(world, str(kind))
        if column not in known:
            world.report(_sql(world, path), f"{shown(need)}: {kind} has no {shown(column)}{nearest(column, known)}")
        return
    if column and lookup in table.columns and (kind is not None or lookup not in table.attributes):
        return  # a lookup with a problem of its own
    known = table.readable(name)
    message = f"{shown(need)} is not a column here{nearest(need, sorted(known, key=_plain_first))}"
    world.report(_sql(world, path), message)


def _plain_first(name: str) -> tuple[int, str]:
    return name.count("."), name


def _sql(world: World, path: Path) -> Path:
    """The attribute's expression if it has one, since that is where it names columns."""
    return (*path, "sql") if "sql" in mapping(world.document.at(path)) else path
