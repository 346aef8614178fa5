"""What can start something: all streams of a document with their columns, and the triggers that name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.scenario.contention import uses_resources
from sim.scenario.document import Path
from sim.scenario.incidents import LABEL
from sim.scenario.world import Fact, World, listed, mapping

_CHANGES = ("from_state", "to_state", "reason", "seconds_in_state")
_VISITS = ("step", "step_index", "resource", "outcome", "queued_at", "waited_s", "served_s")
_CASES = ("started_at", "last_step", "steps")
_HISTORIES = {"changes": "change", "versions": "version", "snapshots": "snapshot"}
INBORN = ("id", "born_at")
"""What every entity has."""


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that something can follow from: whose facts, with which columns; `node` is who makes it.

    `fixed` are the columns that are no attributes, `id` is one of them.
    """

    entity: str
    node: str
    id: str
    fixed: frozenset[str]
    attributes: frozenset[str] = frozenset()

    @property
    def columns(self) -> frozenset[str]:
        """All columns."""
        return self.fixed | self.attributes


@dataclass(frozen=True, slots=True)
class Started:
    """A trigger at `path`: facts of `stream` start something for entities of kind `entity`.

    `node` is what it starts if that cannot wait for the next tick (births, streams, processes), else None.
    """

    path: Path
    spec: Mapping[str, Any]
    entity: Any
    node: str | None

    @property
    def stream(self) -> Any:
        """The name that the trigger gives."""
        return self.spec.get("stream")

    @property
    def name_path(self) -> Path:
        """Where the name stands."""
        return (*self.path, "stream")


def column_of(name: str, spec: Any) -> str:
    """The column that an attribute becomes: with `_id` behind it for what is looked up."""
    return f"{name}_id" if mapping(spec).get("type") == "lookup" and not name.endswith("_id") else name


def columns_of(attributes: Mapping[str, Any]) -> Iterator[str]:
    """The names under which attributes are read: their own, and the columns that they become."""
    for name, spec in attributes.items():
        yield str(name)
        yield column_of(str(name), spec)


def inborn(world: World, entity: str) -> set[str]:
    """What entities have besides their attributes."""
    segmentations = world.segmentations(entity)
    states = {"state"} if "lifecycle" in world.entities[entity] else set()
    return {*INBORN, *states, *segmentations, *(["segment"] if segmentations else [])}


def label_of(spec: Mapping[str, Any]) -> list[str]:
    """The column with the label of a stream's facts, if it asks for one."""
    return [LABEL] if spec.get("label") is True else []


def sources(world: World) -> dict[str, Source]:
    """Every stream by name; of two that have the same name, the first."""
    found: dict[str, Source] = {}
    for name, source in _all(world):
        found.setdefault(name, source)
    return found


def histories(name: str, entity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The streams of an entity's history, each with the key that asks for it."""
    for key, value in mapping(entity.get("history")).items():
        if key in _HISTORIES and value not in (None, False):
            yield key, f"{name}_{_HISTORIES[key]}"


def triggers(world: World) -> Iterator[Started]:
    """All triggers of the document that have the right shape."""
    for name, entity in world.entities.items():
        yield from _trigger(("entities", name, "arrivals"), mapping(entity.get("arrivals")), entity.get("parent"), name)
        for state, spec in world.states(name).items():
            for place, transition in enumerate(listed(mapping(spec).get("transitions"))):
                path = ("entities", name, "lifecycle", "states", state, "transitions", place)
                yield from _trigger(path, mapping(transition), name, None)
    for name, spec in world.streams.items():
        yield from _trigger(("streams", name), spec, spec.get("entity"), name)
    for name, spec in world.processes.items():
        yield from _trigger(("processes", name, "start"), mapping(spec.get("start")), spec.get("entity"), name)


def source_of(spec: Mapping[str, Any]) -> str | None:
    """The stream that the trigger of `spec` names, if it has one."""
    given = spec.get("on")
    name = mapping(given).get("stream") if isinstance(given, Mapping) else given
    return name if isinstance(name, str) else None


def _trigger(path: Path, spec: Mapping[str, Any], entity: Any, node: str | None) -> Iterator[Started]:
    given = spec.get("on")
    if isinstance(given, str):
        yield Started((*path, "on"), {"stream": given}, entity, node)
    elif isinstance(mapping(given).get("stream"), str):
        yield Started((*path, "on"), mapping(given), entity, node)


def _all(world: World) -> Iterator[tuple[str, Source]]:
    for name in world.entities:
        yield from _of_entity(world, name)
    for fact in world.facts():
        above = fact.parent or source_of(fact.spec)
        ids = {f"{fact.name}_id", f"{fact.entity}_id", *([f"{above}_id"] if above else [])}
        fixed = frozenset({"event_time", *ids, *label_of(fact.spec)})
        yield fact.name, Source(fact.entity, _root(fact), f"{fact.name}_id", fixed, _attributes(fact.spec))
    for name, spec in world.processes.items():
        entity, own = str(spec.get("entity")), _attributes(spec)
        case = {"event_time", f"{name}_case_id", f"{entity}_id"}
        steps = frozenset({*case, f"{name}_id", "step", "step_index", *label_of(spec)})
        yield name, Source(entity, name, f"{name}_id", steps, own | _attributes(spec, "each"))
        if spec.get("cases") is True:
            yield f"{name}_case", Source(entity, name, f"{name}_case_id", frozenset({*case, *_CASES}), own)
        if uses_resources(spec):
            stream = f"{name}_service"
            yield stream, Source(entity, name, f"{stream}_id", frozenset({*case, f"{stream}_id", *_VISITS}))


def _of_entity(world: World, name: str) -> Iterator[tuple[str, Source]]:
    """Births, and changes of state if there are states."""
    entity = world.entities[name]
    parent = entity.get("parent")
    fixed = {f"{name}_id", "event_time", "born_at", *(inborn(world, name) - {"id", "segment"})}
    fixed |= {f"{parent}_id"} if isinstance(parent, str) else set()
    yield name, Source(name, name, f"{name}_id", frozenset(fixed), _attributes(entity))
    if "lifecycle" in entity:
        stream = f"{name}_lifecycle"
        changes = frozenset({f"{stream}_id", "event_time", f"{name}_id", *_CHANGES})
        yield stream, Source(name, stream, f"{stream}_id", changes)


def _root(fact: Fact) -> str:
    """The stream of which a fact is a child, however indirectly, or itself."""
    return str(fact.path[1])


def _attributes(spec: Mapping[str, Any], key: str = "attributes") -> frozenset[str]:
    return frozenset(_written(mapping(spec.get(key)).items()))


def _written(attributes: Iterable[tuple[str, Any]]) -> Iterator[str]:
    return (column_of(str(name), spec) for name, spec in attributes)
