"""Which streams an incident hits, and with which effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.scenario.incidents import ANY, FACT, Incident, IncidentEffect
from sim.scenario.processes import Process
from sim.scenario.schema import Child, Scenario, StreamSpec

Spec = StreamSpec | Child | Process


def afflicted(scenario: Scenario, incident: Incident) -> dict[str, IncidentEffect]:
    """The effects of an incident by stream; `any` is spelled out for all streams that it can hit."""
    named = {name: effect for name, effect in incident.streams.items() if name != ANY}
    common = incident.streams.get(ANY)
    if common is None:
        return named
    for name, kind, spec in _all(scenario):
        if name not in named and _reaches(scenario, incident, kind, spec):
            named[name] = common.model_copy(update=_fitting(common, spec))
    return named


def _all(scenario: Scenario) -> Iterator[tuple[str, str, Spec]]:
    """Every stream, child and process with the kind of its entity."""
    for name, stream in scenario.streams.items():
        yield name, stream.entity, stream
        yield from _children(stream.entity, stream.children)
    for name, process in scenario.processes.items():
        yield name, process.entity, process


def _children(kind: str, children: Mapping[str, Child]) -> Iterator[tuple[str, str, Spec]]:
    for name, child in children.items():
        yield name, kind, child
        yield from _children(kind, child.children)


def _reaches(scenario: Scenario, incident: Incident, kind: str, spec: Spec) -> bool:
    lineage = scenario.ancestors(kind)
    if incident.per == FACT:
        return not isinstance(spec, Process)
    if incident.per is not None:
        return incident.per in lineage
    if not incident.segments.keys() <= scenario.segmentations(kind).keys():
        return False
    known = {state for ancestor in lineage for state in _states(scenario, ancestor)}
    return incident.states is None or set(incident.states) <= known


def _states(scenario: Scenario, kind: str) -> Iterator[str]:
    lifecycle = scenario.entities[kind].lifecycle
    yield from lifecycle.states if lifecycle is not None else ()


def _fitting(effect: IncidentEffect, spec: Spec) -> dict[str, float]:
    """The factors that make no sense there, as 1."""
    paced = isinstance(spec, StreamSpec | Process) and _paced(spec)
    return ({} if paced else {"rate": 1.0}) | ({"probability": 1.0} if paced and isinstance(spec, StreamSpec) else {})


def _paced(spec: StreamSpec | Process) -> bool:
    return (spec.start.rate if isinstance(spec, Process) else spec.rate) is not None
