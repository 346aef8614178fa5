"""Contention: processes whose cases queue for the same resources, all blocks together and in the true order of time.

Free cases of all blocks go on to their next resource or to the end of the window. Then the resources are served, those
first from which a way leads to others. Where no way leads back, one pass serves the whole window, because all arrivals
are known. Where cases come back, the resources are served in short steps: up to the first time at which a case that
still waits could have come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from sim.attributes.column import Column, strings
from sim.engine.calendar import Pending
from sim.engine.cases import Part
from sim.engine.facts import Facts, fact_ids
from sim.engine.fanout import Emit
from sim.engine.load import Load
from sim.engine.resources import NEVER, Servers
from sim.engine.routes import groups, resources_of, returns
from sim.engine.visits import decide, earliest_return, queue_of, spans
from sim.engine.window import Window
from sim.model.model import Model
from sim.model.schemas import LOAD

_STRETCH = 64
_MOST_STRETCHES = 256

Waiting = list[tuple[int, Pending]]
"""Visits at a resource that are not decided, each with the number of its part."""


class Contention:
    """The cases of processes that share resources. `report` takes the facts of the load."""

    def __init__(self, model: Model, parts: list[Part], report: Callable[[str, Facts], None]) -> None:
        self._parts = parts
        self._report = report
        flows = list({part.flow.name: part.flow for part in parts}.values())
        used = sorted(set().union(*map(resources_of, flows)))
        self._groups = groups(used, flows)
        self._returns = {
            (flow.name, resource): returns(flow, group)
            for flow in flows
            for group in self._groups
            for resource in group
        }
        self._servers = {r: Servers(model.resources[r]) for r in used}
        self._loads = {r: Load(model.resources[r]) for r in used}
        self._names = strings([resource.name for resource in model.resources])
        self._open: defaultdict[int, Waiting] = defaultdict(list)
        self._coming: defaultdict[int, Waiting] = defaultdict(list)

    def advance(self, window: Window, emit: Emit) -> None:
        """Emit all steps and visits of `window`, and the load."""
        for part in self._parts:
            part.open(window)
        for group in self._groups:
            self._serve(group, window)
        for part in self._parts:
            part.close(emit)
        self._emit_load(window)

    def _serve(self, group: Sequence[int], window: Window) -> None:
        """Serve resources that lead to each other up to the end of the window, a stretch at a time."""
        horizon = window.start
        for gate in self._gates(group, window):
            for resource in group:
                for number, visits in self._coming.pop(resource, []):
                    self._admit(resource, number, visits, gate)
            while horizon < gate:
                self._arrive(group, gate)
                horizon = max(self._horizon(group, gate), horizon + 1)
                for resource in group:
                    self._decide(resource, horizon)
            while self._queueing(group):
                self._arrive(group, gate)
                for resource in group:
                    self._decide(resource, gate)

    def _gates(self, group: Sequence[int], window: Window) -> list[int]:
        """Ends of stretches: where cases come back, what is far off is not looked at in every step."""
        back = any(self._returns[name, r].min() < NEVER for name, r in self._returns if r in group)
        visits = sum(len(some.times) for part in self._parts for r in group for some in part.queueing.get(r, ()))
        count = min(visits // _STRETCH, _MOST_STRETCHES) + 1 if back else 1
        edges = np.linspace(window.start, window.until, count + 1).astype(np.int64)
        return [int(edge) for edge in np.unique(edges)[1:]]

    def _queueing(self, group: Sequence[int]) -> bool:
        return any(part.queueing.get(resource) for part in self._parts for resource in group)

    def _arrive(self, group: Sequence[int], gate: int) -> None:
        """Let those who have come to the resources join the queues."""
        for number, part in enumerate(self._parts):
            for resource in group:
                for visits in part.queueing.pop(resource, ()):
                    self._loads[resource].waiting.up(visits.times)
                    self._admit(resource, number, visits, gate)

    def _admit(self, resource: int, number: int, visits: Pending, gate: int) -> None:
        """Visits that arrive before `gate` are open, the others come later."""
        before = visits.times < gate
        if before.any():
            self._open[resource].append((number, visits.where(before)))
        if not before.all():
            self._coming[resource].append((number, visits.where(~before)))

    def _horizon(self, group: Sequence[int], gate: int) -> int:
        """Up to when all arrivals at the resources of a group are known."""
        found = gate
        for resource in group:
            opening = self._servers[resource].opening() if self._open[resource] else 0
            for number, visits in self._open[resource]:
                back = self._returns[self._parts[number].flow.name, resource]
                found = min(found, earliest_return(visits, opening, back)) if back.min() < NEVER else found
        return found

    def _decide(self, resource: int, until: int) -> None:
        """Serve those who arrive before `until`, and let them go."""
        now, later = [], []
        for number, visits in self._open.pop(resource, []):
            before = visits.times < until
            now.append((number, visits.where(before)))
            if not before.all():
                later.append((number, visits.where(~before)))
        now = [(number, visits) for number, visits in now if len(visits.times)]
        if now:
            later = self._serve_all(resource, now, until) + later
        self._open[resource] = later

    def _serve_all(self, resource: int, now: Waiting, until: int) -> Waiting:
        """Serve visits; those that are still open."""
        queue, order = queue_of([visits for _, visits in now])
        started = np.empty(len(order), dtype=np.int64)
        started[order] = self._servers[resource].serve(queue, until)
        ends = np.cumsum([len(visits.times) for _, visits in now])
        still: Waiting = []
        for (number, visits), own in zip(now, np.split(started, ends[:-1]), strict=True):
            decided, open_ = decide(visits, own)
            self._note(resource, decided)
            self._parts[number].leave(decided)
            if len(open_.times):
                still.append((number, open_))
        return still

    def _note(self, resource: int, decided: Pending) -> None:
        out, begun, ended = spans(decided)
        load = self._loads[resource]
        load.waiting.down(out)
        load.busy.up(begun)
        load.busy.down(ended)

    def _emit_load(self, window: Window) -> None:
        found = [(resource, *load.hours(window)) for resource, load in self._loads.items()]
        resources, hours = [resource for resource, _, _ in found], found[0][1]
        times = np.repeat(hours, len(resources))
        capacity, busy, waiting = (np.stack([means[i] for _, _, means in found], axis=1).ravel() for i in range(3))
        columns = {
            # Groups of processes that share nothing number their facts by their first resource, as others by block.
            f"{LOAD}_id": Column.of(fact_ids(LOAD, len(times), resources[0], window)),
            "resource": Column.coded(np.tile(resources, len(hours)), self._names),
            "capacity": Column.of(capacity),
            "busy": Column.of(busy),
            "waiting": Column.of(waiting),
        }
        self._report(LOAD, Facts(times, columns))
