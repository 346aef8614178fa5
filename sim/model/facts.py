"""Compiles whatever gives facts besides births and changes of state, in the order of the streams' ranks."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import pyarrow as pa

from sim.errors import Problem, ScenarioError
from sim.model.activities import activity_of, group
from sim.model.flows import flow_of
from sim.model.followers import follower_of
from sim.model.ground import Ground
from sim.model.model import Activity, Flow, Follower
from sim.model.process import UserProcess
from sim.model.resources import join
from sim.model.schemas import fact_stream
from sim.scenario.schema import Child, Scenario


def facts_of(ground: Ground) -> tuple[tuple[Activity, ...], tuple[Follower, ...], tuple[Flow, ...]]:
    """Activities first, as the scenario has them, then what follows from other streams, causes before effects."""
    scenario = ground.scenario
    own = {name: spec for name, spec in scenario.streams.items() if spec.on is None}
    activities = tuple(activity_of(ground, name, spec) for name, spec in own.items())
    group(ground, activities)
    followers: list[Follower] = []
    flows: list[Flow] = []
    for name in _later(scenario):
        if name in scenario.streams:
            followers.append(follower_of(ground, name, scenario.streams[name]))
        else:
            flows.append(flow_of(ground, name, scenario.processes[name]))
    join(ground, flows)
    return activities, tuple(followers), tuple(flows)


def add_process(ground: Ground, process: UserProcess) -> None:
    """The stream of a user's own process."""
    fields = [pa.field(name, kind) for name, kind in process.schema.items()]
    ground.streams.append(fact_stream(process.stream, process.entity, None, fields, ground.rank, ""))
    ground.tables.readers.add(process.reads)


def _later(scenario: Scenario) -> list[str]:
    """Streams and processes that start on others' facts, after these; processes that start by themselves too."""
    starts = {name: process.start.on for name, process in scenario.processes.items()}
    starts |= {name: spec.on for name, spec in scenario.streams.items() if spec.on is not None}
    owner = {f"{name}_{part}": name for name in scenario.processes for part in ("case", "service")}
    for name, spec in scenario.streams.items():
        owner |= dict.fromkeys(_descendants(spec.children), name)
    waits: dict[str, set[str]] = {}
    for name, on in starts.items():
        source = "" if on is None else owner.get(on.stream, on.stream)
        waits[name] = {source} & starts.keys()
    try:
        return list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        chain = " -> ".join(reversed(error.args[1]))
        raise ScenarioError([Problem(0, "streams", f"wait for each other's facts: {chain}")]) from error


def _descendants(children: Mapping[str, Child]) -> list[str]:
    return [name for key, child in children.items() for name in (key, *_descendants(child.children))]
