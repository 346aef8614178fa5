"""Resources: their capacity over the run, and which processes must be simulated together because they share them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.errors import Problem
from sim.maths.curves import bind
from sim.maths.timeline import Timeline
from sim.maths.units import HOUR
from sim.model.ground import Ground
from sim.model.model import Flow
from sim.model.queueing import Resource
from sim.model.schemas import load_stream
from sim.scenario import resources as language

_ALMOST = 1e-9


def resources_of(ground: Ground) -> tuple[Resource, ...]:
    """The resources of the scenario; those that are never there at all become problems."""
    resources = tuple(_resource(ground, name, spec) for name, spec in ground.scenario.resources.items())
    for resource in resources:
        if not resource.capacities.any():
            message = "the capacity is 0 over the whole run, so nobody would ever be served"
            ground.tables.problems.append(Problem(0, f"resources.{resource.name}", message))
    if resources:
        ground.streams.append(load_stream(ground.rank))
    return resources


def sharing(resources: Sequence[Resource]) -> tuple[str, ...]:
    """What `plan` says of resources, in words."""
    names = ", ".join(resource.name for resource in resources)
    return (f"one shard, one worker: all cases share {names}",) if resources else ()


def join(ground: Ground, flows: Sequence[Flow]) -> None:
    """Let the processes that share resources, however indirectly, be one node: their cases queue with each other."""
    groups: list[tuple[set[int], list[str]]] = []
    for flow in flows:
        wanted = {service.resource for service in flow.services if service is not None and service.resource >= 0}
        if not wanted:
            continue
        together = [group for group in groups if group[0] & wanted]
        groups = [group for group in groups if group not in together]
        names = [name for group in together for name in group[1]]
        groups.append((wanted.union(*(group[0] for group in together)), [*names, flow.name]))
    for _, names in groups:
        for name in names:
            _check_apart(ground, name, [other for other in names if other != name])
        ground.graph.join([("process", name) for name in names])


def _check_apart(ground: Ground, name: str, others: Sequence[str]) -> None:
    """Cases that queue together cannot start each other: neither could be known first."""
    for other in others:
        if ground.graph.reaches(("process", name), ("process", other)):
            message = f"follows from {other}, with which it shares a resource; give each a resource of its own"
            ground.tables.problems.append(Problem(0, f"processes.{name}.start.on", message))


def _resource(ground: Ground, name: str, spec: language.Resource) -> Resource:
    scenario, timeline = ground.scenario, ground.binder.timeline
    changes = np.array([scenario.start], dtype=np.int64)
    if len(spec.hours) > 1 or spec.calendar is not None:
        changes = np.concatenate([changes, timeline.civil_breaks(scenario.start, scenario.end, "hour")])
    capacities = _by_hour(timeline, changes, spec.hours)
    if spec.calendar is not None:
        curve = bind(spec.calendar, timeline, ground.binder.curves)
        changes = np.union1d(changes, curve.breaks(scenario.start, scenario.end))
        capacities = np.floor(_by_hour(timeline, changes, spec.hours) * curve.at(changes) + _ALMOST).astype(np.int64)
    kept = np.concatenate([[True], np.diff(capacities) != 0])
    return Resource(name, spec.queue == "priority", changes[kept], capacities[kept])


def _by_hour(timeline: Timeline, times: NDArray[np.int64], hours: Sequence[int]) -> NDArray[np.int64]:
    """The capacity at `times` by civil hour of the day or of the week; the epoch was a Thursday."""
    hour = timeline.local(times) // HOUR + (72 if len(hours) > 24 else 0)
    return np.array(hours, dtype=np.int64)[hour % len(hours)]
