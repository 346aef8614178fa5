"""Resources: service takes as long as declared, and everybody waits exactly as long as the queue makes them.

Waiting follows from arrivals, service times, capacity and the discipline of the queue (Kleinrock 1975). Arrivals and
ways are checked as what they are, service times as lengths; the rest is exact, visit by visit: no service begins while
all places are taken, nobody waits while one is free, and where the queue goes by arrival nobody overtakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.model.model import Flow, Model
from sim.model.queueing import Resource
from sim.quality.behaviours.reading import (
    Facts,
    Indices,
    NotMeasurable,
    Times,
    code,
    columns,
    floats,
    instant,
    quoted,
    require,
)
from sim.quality.behaviours.survival import lengths
from sim.quality.behaviours.walks import disturbed
from sim.quality.finding import Finding, exact, unmeasured

_ROUNDING = 2
"""Microseconds by which instants may be off: waiting times are seconds, in floating point."""

_NEVER = 2**62


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every resource, and on the service times of every step that uses one."""
    flows = [flow for flow in model.flows if flow.visits is not None]
    for flow in flows:
        try:
            yield from _of_services(facts, model, flow)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "service_times", flow.name, str(why))
    for number, resource in enumerate(model.resources):
        try:
            services = _services(facts, flows, number, resource.name)
            yield _of_capacity(resource, services)
            yield _of_waits(resource, services)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "capacity", resource.name, str(why))


@dataclass(frozen=True, slots=True)
class _Services:
    """The services at a resource in the order of their beginnings, microseconds, int64[n] each.

    `open` is when the first visit queued that the data does not see the end of: from then on, places may be taken by
    services that cannot be seen.
    """

    queued: Times
    begins: Times
    ends: Times
    open: int

    def busy(self, begun: Times, ended: Times) -> Indices:
        """How many have begun by the one instants and not ended by the others, int64[n]."""
        gone = np.searchsorted(np.sort(self.ends), ended, side="right")
        return np.searchsorted(self.begins, begun, side="right") - gone


def _visits(flow: Flow) -> str:
    return f"{flow.name}_service"


def _of_services(facts: Facts, model: Model, flow: Flow) -> Iterator[Finding]:
    visits = _visits(flow)
    require(facts, visits)
    outside = disturbed(facts, model, flow.name)
    for step, service in enumerate(flow.services):
        if service is None or service.resource < 0:
            continue
        queued, waited, served = floats(
            facts,
            f"SELECT {instant('queued_at')}, waited_s * 1e6, served_s * 1e6 FROM {quoted(visits)}"
            f" WHERE outcome::VARCHAR = 'served' AND {code('step', [flow.steps[step]])} = 0 ORDER BY event_time",
        )
        calm = np.ones(len(queued), dtype=np.bool_) if outside is None else outside.number(queued.astype(np.int64)) < 0
        left = model.end - queued - waited
        subject = f"{flow.name}: {flow.steps[step]}"
        yield from lengths("service_times", subject, service.duration, served[calm], left[calm])


def _capacity(resource: Resource, times: Times) -> Indices:
    """The capacity at each instant, int64[n]."""
    return resource.capacities[np.maximum(np.searchsorted(resource.changes, times, side="right") - 1, 0)]


def _of_capacity(resource: Resource, services: _Services) -> Finding:
    """How many services begin while all places are taken."""
    begins = services.begins
    # who goes before makes room for who comes at the same instant
    ended = np.searchsorted(np.sort(services.ends), begins + _ROUNDING, side="right")
    over = np.arange(1, len(begins) + 1) - ended > _capacity(resource, begins + _ROUNDING)
    text = f"services that begin where all are taken; capacity at most {int(resource.capacities.max()):,}"
    return exact("behaviour", "capacity", resource.name, int(over.sum()), text, of=len(begins))


def _of_waits(resource: Resource, services: _Services) -> Finding:
    """How many wait while a place is free, when they come or just before they are served, or are overtaken."""
    waited = (services.begins - services.queued > 2 * _ROUNDING) & (services.begins < services.open)
    came, went = services.queued[waited], services.begins[waited] - _ROUNDING
    free_then = np.minimum(_capacity(resource, came - _ROUNDING), _capacity(resource, came + _ROUNDING))
    idle = services.busy(came + _ROUNDING, came - _ROUNDING) < free_then
    idle |= services.busy(went, went - _ROUNDING) < _capacity(resource, went)
    wrong = int(idle.sum()) + (0 if resource.ranked else _overtaken(services))
    text = "visits that wait while a place is free, or are overtaken"
    return exact("behaviour", "waits", resource.name, wrong, text, of=len(services.begins))


def _overtaken(services: _Services) -> int:
    """How many are served after somebody who came later."""
    order = np.argsort(services.queued, kind="stable")
    earliest_later = np.minimum.accumulate(services.begins[order][::-1])[::-1]
    return int(np.count_nonzero(services.begins[order][:-1] > earliest_later[1:] + 2 * _ROUNDING))


def _services(facts: Facts, flows: list[Flow], number: int, resource: str) -> _Services:
    """The services that can be seen at a resource."""
    name = resource.replace("'", "''")
    parts, unseen = [], []
    for flow in flows:
        visits, process = quoted(_visits(flow)), quoted(flow.name)
        require(facts, _visits(flow))
        require(facts, flow.name)
        parts.append(
            columns(
                facts,
                f"SELECT {instant('queued_at')} AS a, a + round(waited_s * 1e6)::BIGINT AS b,"
                f" {instant('event_time')} AS c FROM {visits}"
                f" WHERE resource::VARCHAR = '{name}' AND outcome::VARCHAR = 'served'",
            )
        )
        steps = [flow.steps[step] for step, one in enumerate(flow.services) if one and one.resource == number]
        case = quoted(f"{flow.name}_case_id")
        if steps:
            (first,) = columns(
                facts,
                f"SELECT coalesce(min({instant('event_time')}), {_NEVER}) FROM {process} AS came"
                f" WHERE {code('step', steps)} >= 0 AND NOT EXISTS (FROM {visits} AS seen"
                f" WHERE seen.{case} = came.{case} AND seen.step_index = came.step_index)",
            )
            unseen.append(int(first[0]))
    queued, begins, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(begins, kind="stable")
    return _Services(queued[order], begins[order], ends[order], min(unseen, default=_NEVER))
