"""Checks the names of states and segments on the raw document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.maths.model import shown
from sim.scenario.document import Path
from sim.scenario.words import nearest
from sim.scenario.world import World, listed, mapping


def check_lifecycles(world: World) -> None:
    """Report transitions to unknown states, unknown initial states, and states that nothing leads to."""
    for name in world.entities:
        states = world.states(name)
        if not states:
            continue
        path: Path = ("entities", name, "lifecycle")
        initial = _initial(world, name, path)
        exits = [_check_exits(world, name, (*path, "states", state), mapping(spec)) for state, spec in states.items()]
        if all(exits):
            _check_reach(world, name, path, initial)


def check_states(world: World, path: Path, names: Any, entity: str) -> None:
    """Report those of `names` (a list at `path`) that are no states of `entity`."""
    for place, name in enumerate(listed(names)):
        if isinstance(name, str):
            _known_state(world, (*path, place), name, entity)


def check_segments(world: World, path: Path, effects: Any, entity: str) -> None:
    """Report segmentations and segments in `effects` (segmentation -> segment -> ...) that `entity` does not have."""
    known = world.segmentations(entity)
    for segmentation, segments in mapping(effects).items():
        if segmentation not in known:
            message = f"{shown(segmentation)} is not a segmentation of {entity}{nearest(segmentation, known)}"
            world.report((*path, segmentation), message if known else f"{message}; it has none")
            continue
        for segment in mapping(segments):
            if segment not in known[segmentation]:
                hint = nearest(segment, map(str, known[segmentation]))
                world.report(
                    (*path, segmentation, segment), f"{shown(segment)} is not a segment of {segmentation}{hint}"
                )


def _known_state(world: World, path: Path, name: str, entity: str) -> bool:
    states = world.states(entity)
    if name in states:
        return True
    if states:
        world.report(path, f"{shown(name)} is not a state of {entity}{nearest(name, map(str, states))}")
    elif "lifecycle" not in world.entities[entity]:
        world.report(path, f"{shown(name)} is not a state: {entity} has no lifecycle")
    return False


def _initial(world: World, entity: str, path: Path) -> list[str] | None:
    """The states that entities are born in; None where that cannot be told."""
    given = mapping(world.entities[entity].get("lifecycle")).get("initial")
    if isinstance(given, str):
        return [given] if _known_state(world, (*path, "initial"), given, entity) else None
    weights = mapping(given)
    known = [_known_state(world, (*path, "initial", name), name, entity) for name in weights if isinstance(name, str)]
    return [name for name, weight in weights.items() if weight != 0] if weights and all(known) else None


def _check_exits(world: World, entity: str, path: Path, state: Any) -> bool:
    """Whether all transitions of a state lead to states."""
    known = True
    for place, transition in enumerate(listed(state.get("transitions"))):
        spec, here = mapping(transition), (*path, "transitions", place)
        if isinstance(spec.get("to"), str):
            known &= _known_state(world, (*here, "to"), spec["to"], entity)
        check_segments(world, (*here, "segments"), spec.get("segments"), entity)
    return known


def _check_reach(world: World, entity: str, path: Path, initial: list[str] | None) -> None:
    if initial is None:
        return
    states = world.states(entity)
    reached, waiting = set(initial), list(initial)
    while waiting:
        found = [name for name in _exits(states.get(waiting.pop())) if name not in reached]
        reached.update(found)
        waiting.extend(found)
    for name in states:
        if name not in reached:
            world.report((*path, "states", name), f"no transition leads to {shown(name)}, and nobody is born in it")


def _exits(state: Any) -> Iterator[str]:
    for transition in listed(mapping(state).get("transitions")):
        to = mapping(transition).get("to")
        if isinstance(to, str):
            yield to
