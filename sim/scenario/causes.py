"""Checks triggers on the raw document: that their streams exist and belong, what they read, and that they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.attributes.expressions import program
from sim.maths.model import shown
from sim.scenario.columns import around
from sim.scenario.cycles import cycle
from sim.scenario.sources import Source, Started, sources, triggers
from sim.scenario.words import nearest
from sim.scenario.world import World


def check_triggers(world: World) -> None:
    """Report triggers that name unknown streams, or such of other entities, or unknown columns, or each other."""
    known = sources(world)
    found = list(triggers(world))
    for trigger in found:
        source = known.get(trigger.stream)
        if source is None:
            message = f"{shown(trigger.stream)} is not a stream{_hint(world, trigger.stream, known)}"
            world.report(_place(world, trigger), message)
        else:
            _check_owner(world, trigger, source)
            _check_where(world, trigger, source)
    _check_cycles(world, found, known)


def _place(world: World, trigger: Started) -> tuple[Any, ...]:
    """Where the name of the stream stands: itself the trigger in its short form."""
    return trigger.path if isinstance(world.document.at(trigger.path), str) else trigger.name_path


def _hint(world: World, name: str, known: Mapping[str, Source]) -> str:
    process, _, end = name.rpartition("_")
    if end == "case" and process in world.processes:
        return f": the process {process} has it with 'cases: true'"
    if end in ("change", "version", "snapshot") and process in world.entities:
        return f": it tells what has become of {process}; follow what changes it instead"
    if end == "lifecycle" and process in world.entities:
        return f": {process} has no lifecycle"
    return nearest(name, known)


def _check_owner(world: World, trigger: Started, source: Source) -> None:
    """Facts start something for their own entity, or for one that it belongs to."""
    if not world.has(trigger.entity) or not world.has(source.entity):
        return
    if trigger.entity not in world.lineage(source.entity):
        message = f"{shown(trigger.stream)} has facts of {source.entity}, which does not belong to {trigger.entity}"
        world.report(_place(world, trigger), message)


def _check_where(world: World, trigger: Started, source: Source) -> None:
    where = trigger.spec.get("where")
    if not isinstance(where, str) or not world.has(source.entity):
        return
    try:
        reads = program(where).reads
    except ValueError:  # reported by the check of shapes
        return
    readable = source.columns | around(world, source.entity)
    for name in sorted(reads - readable):
        plain = sorted(readable, key=lambda word: (word not in source.columns, word))
        message = f"{shown(name)} is not a column of {trigger.stream}{nearest(name, plain)}"
        world.report((*trigger.path, "where"), message)


def _check_cycles(world: World, found: list[Started], known: Mapping[str, Source]) -> None:
    """What waits for facts within a tick must not wait for itself; a lifecycle can wait for the next tick instead."""
    waits: dict[str, list[str]] = {}
    for name, entity in world.entities.items():
        waits[name] = [entity["parent"]] if world.has(entity.get("parent")) else []
        waits[f"{name}_lifecycle"] = [name]
    for source in known.values():
        waits.setdefault(source.node, [])
        if source.node != source.entity:
            waits[source.node].append(source.entity)
    causes = {trigger.stream: known[trigger.stream].node for trigger in found if trigger.stream in known}
    for trigger in found:
        if trigger.node is not None and trigger.stream in known:
            waits[trigger.node].append(causes[trigger.stream])
    chain = cycle({node: [other for other in waits[node] if other in waits] for node in waits}) or []
    for trigger in found:
        if trigger.node in chain and causes.get(trigger.stream) in chain:
            world.report(_place(world, trigger), f"waits for itself: {' -> '.join(chain)}")
            break
