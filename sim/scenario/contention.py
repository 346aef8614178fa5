"""Checks resources and the steps that use them, on the raw document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.maths.model import shown
from sim.scenario.document import Path
from sim.scenario.lifecycles import check_segments
from sim.scenario.words import nearest
from sim.scenario.world import World, mapping


def check_resources(world: World) -> None:
    """Report unknown resources, those that no step uses, and priorities where there are none or that nobody has."""
    resources = mapping(world.document.data.get("resources"))
    used = set()
    for path, process, step in _steps(world):
        name = step.get("resource")
        if not isinstance(name, str):
            continue
        used.add(name)
        if name not in resources:
            message = f"{shown(name)} is not a resource{nearest(name, map(str, resources))}"
            world.report((*path, "resource"), message if resources else f"{message}; the scenario has none")
        elif "priority" in step:
            _check_priority(world, (*path, "priority"), process, step["priority"], mapping(resources[name]))
    for name in resources:
        if name not in used:
            world.report(("resources", name), f"no step of a process uses {shown(name)}")


def uses_resources(spec: Mapping[str, Any]) -> bool:
    """Whether a step of the process queues for something."""
    return any(isinstance(mapping(step).get("resource"), str) for step in mapping(spec.get("steps")).values())


def _steps(world: World) -> Iterator[tuple[Path, Mapping[str, Any], Mapping[str, Any]]]:
    """All steps of all processes: where they stand, the process, the step."""
    for name, process in world.processes.items():
        for key, step in mapping(process.get("steps")).items():
            yield ("processes", name, "steps", key), process, mapping(step)


def _check_priority(
    world: World, path: Path, process: Mapping[str, Any], priority: Any, resource: Mapping[str, Any]
) -> None:
    if resource.get("queue") != "priority":
        world.report(path, "has no effect: the resource has no 'queue: priority'")
    if isinstance(priority, str):
        attributes = mapping(process.get("attributes"))
        if priority not in attributes:
            hint = nearest(priority, map(str, attributes))
            world.report(path, f"{shown(priority)} is not an attribute of the process{hint}")
    elif isinstance(priority, Mapping) and isinstance(process.get("entity"), str) and world.has(process["entity"]):
        check_segments(world, path, priority, process["entity"])
