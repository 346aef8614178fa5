"""Visits: what cases bring to a resource, and what comes of it.

A visit is a row of a `Pending` of cases. Waiting, its time is that of the arrival, and it carries the length of its
service, a deadline and a priority. Decided, its time is that of leaving, and it carries its arrival and its start
(RENEGED for who gave up).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column, strings
from sim.engine.block import Block
from sim.engine.calendar import Pending, delays
from sim.engine.facts import fact_ids
from sim.engine.fanout import Emit
from sim.engine.resources import NEVER, OPEN, RENEGED, Queue
from sim.engine.rows import EventRows, Surroundings
from sim.engine.window import Window
from sim.model.model import Flow
from sim.model.queueing import Service

# No attribute has a dot in its name.
_SERVICE, _DEADLINE, _PRIORITY = _WAITING = ("visit.service", "visit.deadline", "visit.priority")
_ARRIVED, _STARTED = _DECIDED = ("visit.arrived", "visit.started")
_LONGEST = 2**60
_OUTCOMES = strings(["served", "reneged"])


def stay(
    service: Service, rng: np.random.Generator, count: int, factor: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    """Draws of the time in a step, at least a microsecond; `factor` multiplies them."""
    return np.maximum(delays(service.duration, rng, count, factor), 1)


def visits_of(
    cases: Pending, service: Service, block: Block, rng: np.random.Generator, factor: NDArray[np.float64] | None
) -> Pending:
    """Cases that arrive at a step with a resource, as visits that wait; `factor` multiplies their service times."""
    count = len(cases.times)
    deadline = np.full(count, NEVER, dtype=np.int64)
    duration = stay(service, rng, count, factor)
    if service.patience is not None:
        deadline = cases.times + delays(service.patience, rng, count)
    carried = cases.carried | {
        _SERVICE: Column.of(duration),
        _DEADLINE: Column.of(deadline),
        _PRIORITY: Column.of(_priorities(cases, service, block)),
    }
    return Pending(cases.times, cases.entities, carried)


def _priorities(cases: Pending, service: Service, block: Block) -> NDArray[np.float64]:
    if isinstance(service.priority, str):
        return np.nan_to_num(cases.carried[service.priority].floats(), nan=np.inf)  # the unknown come last
    if isinstance(service.priority, float):
        return np.full(len(cases.times), service.priority)
    numbers = np.zeros(len(cases.times))
    for by_segment, codes in zip(service.priority, block.segments, strict=True):
        numbers += by_segment[codes[cases.entities]]
    return numbers


def queue_of(visits: Sequence[Pending]) -> tuple[Queue, NDArray[np.int64]]:
    """Visits of several blocks and processes in the order of their arrival, and the position of each in that order."""
    arrived = np.concatenate([some.times for some in visits])
    order = np.argsort(arrived, kind="stable")
    service, deadline, priority = (
        np.concatenate([some.carried[name].values for some in visits])[order] for name in _WAITING
    )
    return Queue(arrived[order], service, deadline, priority), order


def decide(visits: Pending, started: NDArray[np.int64]) -> tuple[Pending, Pending]:
    """Visits that are decided, at the time at which they end, and those that still wait."""
    known, open_ = visits.where(started != OPEN), visits.where(started == OPEN)
    begun = started[started != OPEN]
    ends = np.where(begun == RENEGED, known.carried[_DEADLINE].values, begun + known.carried[_SERVICE].values)
    carried = {name: column for name, column in known.carried.items() if name not in _WAITING}
    carried |= {_ARRIVED: Column.of(known.times), _STARTED: Column.of(begun)}
    return Pending(ends, known.entities, carried), open_


def cases_of(visits: Pending) -> tuple[Pending, Pending]:
    """The cases of decided visits: those that were served, and those that gave up."""
    carried = {name: column for name, column in visits.carried.items() if name not in _DECIDED}
    cases = Pending(visits.times, visits.entities, carried)
    reneged = visits.carried[_STARTED].values == RENEGED
    return cases.where(~reneged), cases.where(reneged)


def nothing(cases: Pending) -> Pending:
    """No visit, with all the columns of decided ones; `cases` are none."""
    return Pending(cases.times, cases.entities, cases.carried | dict.fromkeys(_DECIDED, Column.of(cases.times)))


def earliest_return(visits: Pending, opening: int, back: NDArray[np.int64]) -> int:
    """A time before which none of the waiting visits comes back, if none starts before `opening`.

    `back` has, by step, the least time from the end of a visit to the next arrival; NEVER (2**62) where there is none.
    """
    ends = np.maximum(visits.times, opening) + visits.carried[_SERVICE].values
    ends = np.minimum(ends, visits.carried[_DEADLINE].values)
    after = back[visits.carried["case.step"].values]
    return int(np.where(after < NEVER, ends + np.minimum(after, _LONGEST), NEVER).min())


def spans(visits: Pending) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Decided visits as (out of the queue, begin of service, end of service); the begun ones only, of the last two."""
    started = visits.carried[_STARTED].values
    begun = started != RENEGED
    return np.where(begun, started, visits.times), started[begun], visits.times[begun]


class Journal:
    """Emits the visits of the cases of one process in one block."""

    def __init__(self, around: Surroundings, flow: Flow, block: Block) -> None:
        self._around, self._flow, self._block = around, flow, block
        self._steps = strings(list(flow.steps))
        self._resources = strings([resource.name for resource in around.model.resources])
        self._resource = np.array([-1 if service is None else service.resource for service in flow.services])

    def emit(self, visits: Pending, window: Window, emit: Emit) -> None:
        """Emit the visits that ended in `window`."""
        flow, block = self._flow, self._block
        assert flow.visits is not None
        visits = visits.take(np.lexsort((visits.carried["case.id"].values, visits.times)))
        name, times, step = flow.visits.name, visits.times, visits.carried["case.step"].values
        arrived, started = visits.carried[_ARRIVED].values, visits.carried[_STARTED].values
        reneged = started == RENEGED
        ids = fact_ids(name, len(times), block.index, window)
        rows = EventRows(self._around, block, window, name, times, visits.entities, ids, flow.values)
        columns = {
            f"{name}_id": Column.of(ids),
            f"{flow.name}_case_id": visits.carried["case.id"],
            f"{block.population.name}_id": Column.of(block.ids[visits.entities]),
            "step": Column.coded(step, self._steps),
            "step_index": visits.carried["case.index"],
            "resource": Column.coded(self._resource[step], self._resources),
            "outcome": Column.coded(reneged.astype(np.int64), _OUTCOMES),
            "queued_at": Column(arrived, TIME_TYPE),
            "waited_s": Column.of((np.where(reneged, times, started) - arrived) / 1e6),
            "served_s": Column.of((times - started) / 1e6).with_nulls(reneged),
        }
        emit(name, rows, columns)
