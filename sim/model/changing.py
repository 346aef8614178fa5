"""Attributes that facts set: compiled, and put into the order of a window, so that readers come after setters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from sim.attributes.expressions import Program, program
from sim.attributes.table import AttributeTable
from sim.errors import Problem
from sim.model.ground import Ground
from sim.model.order import Graph, Key, Part
from sim.model.settings import Setting
from sim.scenario.triggers import On

Types = Mapping[str, pa.DataType]


def settings_of(
    ground: Ground, path: str, kind: str, sets: Mapping[str, str], columns: Types, step: int = -1
) -> tuple[Setting, ...]:
    """What facts of `kind` with `columns` set, as the scenario has it at `path`; what is wrong becomes problems."""
    known = ground.tables.context(kind) | dict(columns)
    places = {name: f"'{name}'" if "." in name else name for name in sets}
    found = (
        _setting(ground, f"{path}.sets.{places[name]}", kind, name, sql, known, step) for name, sql in sets.items()
    )
    return tuple(setting for setting in found if setting is not None)


def _setting(ground: Ground, path: str, kind: str, name: str, sql: str, columns: Types, step: int) -> Setting | None:
    owner, _, attribute = name.rpartition(".")
    owner = owner or kind
    lineage = ground.scenario.ancestors(kind)
    types = ground.tables.types.get(owner, {}) if owner in lineage else {}
    attribute = attribute if attribute in types else f"{attribute}_id"
    if attribute not in types:
        ground.tables.problems.append(Problem(0, path, f"{name!r} is not an attribute of {' or '.join(lineage)}"))
        return None
    value, target = program(sql), types[attribute]
    try:
        given = columns[sql] if sql in columns else value.arrow_type(columns)
    except ValueError as error:
        ground.tables.problems.append(Problem(0, path, str(error)))
        return None
    if not _fits(given, target):
        message = f"{sql!r} is {_word(given)}, but {owner}.{attribute} is {_word(target)}"
        ground.tables.problems.append(Problem(0, path, message))
        return None
    ground.tables.readers.add(value.reads)
    ground.changing.setdefault(owner, set()).add(attribute)
    return Setting(owner, lineage.index(owner), attribute, value, target, step)


def _fits(given: pa.DataType, target: pa.DataType) -> bool:
    """Whether values of one type can become values of the other, without rounding."""
    if _is_text(given) and _is_text(target):
        return True
    return bool(given == target or (pa.types.is_integer(given) and pa.types.is_floating(target)))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


def _word(kind: pa.DataType) -> str:
    return "text" if _is_text(kind) else str(kind)


def part_of(
    label: str,
    tables: Iterable[AttributeTable],
    settings: Iterable[Setting] = (),
    conditions: Iterable[Program | None] = (),
) -> Part:
    """What facts that are made together read and set, of entities' attributes."""
    tables, settings = tuple(tables), tuple(settings)
    reads = {name for table in tables for name in table.timely}
    reads |= {name for setting in settings for name in setting.value.reads}
    reads |= {name for condition in conditions if condition is not None for name in condition.reads}
    looks = {f"{kind}.{name}" for table in tables for kind, names in table.lookups.items() for name in names}
    kinds = frozenset(kind for table in tables for kind in table.lookups)
    sets = frozenset(setting.key for setting in settings)
    strangers = frozenset().union(*(table.strangers() for table in tables))
    return Part(label, frozenset(reads), frozenset(looks), sets, kinds, strangers)


def condition_of(on: On | None) -> Program | None:
    """The condition of a trigger."""
    return None if on is None or on.where is None else program(on.where)


def arrange(graph: Graph) -> list[str]:
    """Let whoever reads an attribute wait for whoever sets it; in words, where that would close a cycle."""
    _unite(graph)
    setters = {place: frozenset().union(*(part.sets for part in parts)) for place, parts in graph.parts.items()}
    late: list[str] = []
    for reader, parts in graph.parts.items():
        late += _within(parts)
        for setter in [place for place, sets in setters.items() if sets and place != reader]:
            for part in parts:
                found = sorted((part.reads | part.looks) & setters[setter])
                if found and graph.soften(reader, setter):
                    late.append(_words(part, found, setter[1]))
    return late


def _unite(graph: Graph) -> None:
    """Make one node of streams of one population that change what they read of each other, so that each is exact."""
    places = [place for place, node in graph.nodes.items() if node.kind == "streams"]
    ahead = {place: {other for other in places if _feeds(graph, place, other)} for place in places}
    for _ in places:
        for place in places:
            ahead[place] = ahead[place].union(*(ahead[other] for other in ahead[place]))
    for place in places:
        ring = [other for other in places if other in ahead[place] and place in ahead[other]]
        apart = not any(graph.reaches(one, other) for one in ring for other in ring if one != other)
        if len(ring) > 1 and ring[0] == place and apart:
            graph.join(ring)


def _feeds(graph: Graph, setter: Key, reader: Key) -> bool:
    """Whether what a stream itself (not what follows from it) sets is read by another of the same population."""
    if setter == reader or graph.nodes[setter].population != graph.nodes[reader].population:
        return False
    return bool(graph.parts[setter][0].sets & graph.parts[reader][0].reads)


def _within(parts: Sequence[Part]) -> Iterator[str]:
    """In words, where parts of one node read what the same or a later part sets, and cannot see it."""
    for place, reader in enumerate(parts):
        for number, setter in enumerate(parts):
            # A part sees what it sets itself, of the same entity, because it is made in rounds.
            seen = reader.reads if number > place else frozenset()
            found = sorted((seen | reader.looks) & setter.sets)
            if found:
                yield _words(reader, found, setter.label)


def _words(reader: Part, names: Sequence[str], setter: str) -> str:
    attributes = ", ".join(names)
    return f"{reader.label}: {attributes} as set by {setter} takes effect at the next tick (a cycle)"


def await_ends(ground: Ground) -> list[str]:
    """Let whoever looks entities up wait for those that end; in words, where that would close a cycle."""
    graph, late = ground.graph, []
    for reader, parts in graph.parts.items():
        for kind in sorted({kind for part in parts for kind in part.kinds if ground.mortal(kind)}):
            ends = [states for states in sorted(ground.states(kind)) if states != reader]
            if sum(graph.soften(reader, states) for states in ends):
                late.append(f"{parts[0].label}: which {kind} has ended is known at the next tick (a cycle)")
    return late


def await_cuts(ground: Ground) -> list[str]:
    """Let what is started by facts wait for states that cut it; in words, where that would close a cycle."""
    graph, late, kinds = ground.graph, [], list(ground.index)
    for place, node in graph.nodes.items():
        kind = kinds[node.population]
        if node.kind == "births":
            kind = ground.scenario.entities[kind].parent or ""
        if node.kind in ("follower", "process", "births") and kind and ground.cuts(kind):
            ends = [states for states in sorted(ground.states(kind)) if ground.cuts(states[1], alone=True)]
            if sum(graph.soften(place, states) for states in ends):
                late.append(f"{graph.parts[place][-1].label}: what is cut ends at the next tick (a cycle)")
    return late


def everywhere(ground: Ground, looked_up: Mapping[str, Iterable[str]]) -> None:
    """Mark the nodes that every shard runs in all blocks: who sets or ends what others look up, and all it takes."""
    graph = ground.graph
    wanted = {f"{kind}.{name}" for kind, names in looked_up.items() for name in names}
    setters = [place for place, parts in graph.parts.items() if any(part.sets & wanted for part in parts)]
    strangers = {kind for parts in graph.parts.values() for part in parts for kind in part.strangers}
    ends = [states for kind in sorted(strangers) if ground.mortal(kind) for states in sorted(ground.states(kind))]
    for place in graph.needed([*setters, *ends]):
        graph.nodes[place] = replace(graph.nodes[place], everywhere=True)
