"""Resources: nobody is served beyond the capacity, nobody before having come, and service takes as long as declared.

What a queue does to waiting times follows from arrivals, service times and capacity (Kleinrock 1975), and all three are
checked: arrivals and ways as what they are, service times as lengths, the capacity at every single beginning.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.model.model import Flow, Model
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
            yield _of_capacity(facts, model, flows, number)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "capacity", resource.name, str(why))


def _visits(flow: Flow) -> str:
    return f"{flow.name}_service"


def _of_services(facts: Facts, model: Model, flow: Flow) -> Iterator[Finding]:
    visits = _visits(flow)
    require(facts, visits)
    (early,) = columns(
        facts,
        f"SELECT count(*) FROM {quoted(visits)} WHERE waited_s < 0 OR served_s < 0"
        f" OR {instant('queued_at')} > {instant('event_time')}",
    )
    yield exact("behaviour", "waiting", flow.name, int(early[0]), "visits that end before they begin")
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


def _of_capacity(facts: Facts, model: Model, flows: list[Flow], number: int) -> Finding:
    """How many services begin while all places are taken."""
    resource = model.resources[number]
    begins, ends = _services(facts, flows, resource.name)
    place = np.searchsorted(resource.changes, begins + _ROUNDING, side="right") - 1
    allowed = resource.capacities[np.maximum(place, 0)]
    # who goes before makes room for who comes at the same instant
    busy = np.arange(1, len(begins) + 1) - np.searchsorted(np.sort(ends), begins + _ROUNDING, side="right")
    over = int(np.count_nonzero(busy > allowed))
    text = f"services that begin where all are taken; capacity at most {int(resource.capacities.max()):,}"
    return exact("behaviour", "capacity", resource.name, over, text, of=len(begins))


def _services(facts: Facts, flows: list[Flow], resource: str) -> tuple[Times, Indices]:
    """When the services at a resource begin, ascending, and when they end."""
    name = resource.replace("'", "''")
    begins, ends = [], []
    for flow in flows:
        require(facts, _visits(flow))
        begun, over = columns(
            facts,
            f"SELECT {instant('queued_at')} + round(waited_s * 1e6)::BIGINT AS a, {instant('event_time')} AS b"
            f" FROM {quoted(_visits(flow))} WHERE resource::VARCHAR = '{name}' AND outcome::VARCHAR = 'served'",
        )
        begins.append(begun)
        ends.append(over)
    order = np.argsort(np.concatenate(begins), kind="stable")
    return np.concatenate(begins)[order], np.concatenate(ends)[order]
