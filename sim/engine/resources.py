"""Resources: who is served when, in the exact order of the queue.

One customer depends on the one before, so this is the place where Python loops over cases: a heap of the times at which
servers become free, over arrays that are there already. With one server and nobody impatient it is Lindley's recursion
(Lindley 1952) in closed form. First come, first served means that a case's start is known when it arrives, because
nobody who comes later can change it: only priorities have to wait for what comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

from sim.model.queueing import Resource

Times = NDArray[np.int64]

NEVER = 2**62
RENEGED = -1
"""Instead of a start: left the queue at its deadline."""
OPEN = -2
"""Instead of a start: still waiting, and nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Cases at a resource in the order of arrival, arrays of one length; a deadline is NEVER for the patient."""

    arrived: Times
    service: Times
    deadline: Times
    priority: NDArray[np.float64]


class Servers:
    """The servers of one resource: when they become free, and how many there are."""

    def __init__(self, resource: Resource) -> None:
        self._ranked = resource.ranked
        self._changes: list[int] = [*resource.changes.tolist(), NEVER]
        self._capacities = resource.capacities.tolist()
        self._place = 0
        self._clock: int = self._changes[0]
        self._steady = len(self._capacities) == 1 and not resource.ranked
        self._busy: list[int] = [self._clock] * self._capacities[0] if self._steady else []

    def serve(self, queue: Queue, until: int) -> Times:
        """The starts of service, int64[n], or RENEGED, or (where priorities count) OPEN for what lies past `until`.

        Arrivals are before `until`, and none before `until` comes later. What stays OPEN is to be given again.
        """
        if self._ranked:
            return self._by_priority(queue, until)
        if not self._steady:
            return self._by_calendar(queue)
        if len(self._busy) == 1 and len(queue.arrived) and int(queue.deadline.min()) == NEVER:
            return self._alone(queue)
        return self._in_turn(queue)

    def opening(self) -> int:
        """No case that is given now, or still open, starts before this."""
        if self._steady:
            return self._busy[0]
        self._clock = self._free(self._clock)
        return self._clock

    def _alone(self, queue: Queue) -> Times:
        """Ends are the sums of services since the server last idled (Lindley's recursion, solved)."""
        total = np.cumsum(queue.service)
        before = total - queue.service
        idle = np.maximum(np.maximum.accumulate(queue.arrived - before), self._busy[0])
        self._busy = [int(idle[-1] + total[-1])]
        return np.asarray(idle + before, dtype=np.int64)

    def _in_turn(self, queue: Queue) -> Times:
        busy, started = self._busy, []
        for arrived, service, deadline in zip(
            queue.arrived.tolist(), queue.service.tolist(), queue.deadline.tolist(), strict=True
        ):
            start = busy[0]
            if start < arrived:
                start = arrived
            if start > deadline:
                started.append(RENEGED)
            else:
                heapreplace(busy, start + service)
                started.append(start)
        return np.array(started, dtype=np.int64)

    def _by_calendar(self, queue: Queue) -> Times:
        started = []
        for arrived, service, deadline in zip(
            queue.arrived.tolist(), queue.service.tolist(), queue.deadline.tolist(), strict=True
        ):
            # Who gives up leaves the time at which it would have started: nobody behind starts before that.
            self._clock = self._free(max(arrived, self._clock))
            if self._clock > deadline:
                started.append(RENEGED)
            else:
                heappush(self._busy, self._clock + service)
                started.append(self._clock)
        return np.array(started, dtype=np.int64)

    def _by_priority(self, queue: Queue, until: int) -> Times:
        arrived, service = queue.arrived.tolist(), queue.service.tolist()
        deadline, priority = queue.deadline.tolist(), queue.priority.tolist()
        started = [OPEN] * len(arrived)
        waiting: list[tuple[float, int]] = []
        coming = 0
        while waiting or coming < len(arrived):
            earliest = self._clock if waiting else max(self._clock, arrived[coming])
            self._clock = self._free(earliest)
            if self._clock >= until:
                break
            while coming < len(arrived) and arrived[coming] <= self._clock:
                heappush(waiting, (priority[coming], coming))
                coming += 1
            case = heappop(waiting)[1]
            if deadline[case] < self._clock:
                started[case] = RENEGED
            else:
                heappush(self._busy, self._clock + service[case])
                started[case] = self._clock
        found = np.array(started, dtype=np.int64)
        found[(found == OPEN) & (queue.deadline < until)] = RENEGED
        return found

    def _free(self, time: int) -> int:
        """The first time from `time` on at which a server is free; NEVER if there is none any more."""
        busy, changes = self._busy, self._changes
        while time < NEVER:
            while changes[self._place + 1] <= time:
                self._place += 1
            while busy and busy[0] <= time:
                heappop(busy)
            if len(busy) < self._capacities[self._place]:
                return time
            time = min(busy[0] if busy else NEVER, changes[self._place + 1])
        return NEVER
