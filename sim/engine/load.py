"""Load: how many cases are served at a resource and how many wait, hour by hour, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.window import Window
from sim.maths.units import HOUR
from sim.model.queueing import Resource

Times = NDArray[np.int64]
_NOTHING: Times = np.empty(0, dtype=np.int64)


class Level:
    """A number that goes up and down by one at given times, and its integral."""

    def __init__(self, start: int, level: float = 0.0) -> None:
        self._at = start
        self._level = level
        self._area = 0.0
        self._ups: list[Times] = []
        self._downs: list[Times] = []

    def up(self, times: Times) -> None:
        """One more at each of `times`, in any order, none of them before the present window."""
        self._ups.append(times)

    def down(self, times: Times) -> None:
        """One less at each of `times`."""
        self._downs.append(times)

    def advance(self, until: int, hours: Times) -> NDArray[np.float64]:
        """The integral up to each of `hours`, which lie in the window that ends at `until`, in microseconds."""
        ups, self._ups = _divide(self._ups, until)
        downs, self._downs = _divide(self._downs, until)
        times = np.concatenate([ups, downs])
        order = np.argsort(times, kind="stable")
        steps = np.concatenate([np.ones(len(ups)), -np.ones(len(downs))])[order]
        return self._integrate(times[order], steps, until, hours)

    def _integrate(self, times: Times, steps: NDArray[np.float64], until: int, hours: Times) -> NDArray[np.float64]:
        edges = np.concatenate([[self._at], times, [until]])
        levels = self._level + np.concatenate([[0.0], np.cumsum(steps)])
        area = self._area + np.concatenate([[0.0], np.cumsum(levels * np.diff(edges))])
        found = np.interp(hours - self._at, edges - self._at, area)
        self._at, self._level, self._area = until, float(levels[-1]), float(area[-1])
        return np.asarray(found, dtype=np.float64)


class Capacity(Level):
    """The capacity of a resource, which steps by more than one."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(int(resource.changes[0]), float(resource.capacities[0]))
        self._changes = resource.changes[1:]
        self._steps = np.diff(resource.capacities).astype(np.float64)

    def advance(self, until: int, hours: Times) -> NDArray[np.float64]:
        """The integral up to each of `hours`."""
        now = (self._changes >= self._at) & (self._changes < until)
        return self._integrate(self._changes[now], self._steps[now], until, hours)


class Load:
    """Capacity, busy servers and the queue of one resource."""

    def __init__(self, resource: Resource) -> None:
        self._start = int(resource.changes[0])
        self.busy = Level(self._start)
        self.waiting = Level(self._start)
        self._levels = (Capacity(resource), self.busy, self.waiting)
        self._reported = (0.0, 0.0, 0.0)

    def hours(self, window: Window) -> tuple[Times, list[NDArray[np.float64]]]:
        """The ends of hours that fall into `window`, and the mean capacity, busy servers and queue of these hours."""
        first = max(-(-(window.start - self._start) // HOUR), 1)
        hours = self._start + HOUR * np.arange(first, -(-(window.until - self._start) // HOUR), dtype=np.int64)
        means, reported = [], []
        for level, before in zip(self._levels, self._reported, strict=True):
            area = level.advance(window.until, hours)
            means.append(np.diff(area, prepend=before) / HOUR)
            reported.append(float(area[-1]) if len(area) else before)
        self._reported = (reported[0], reported[1], reported[2])
        return hours, means


def _divide(pieces: list[Times], until: int) -> tuple[Times, list[Times]]:
    times = np.concatenate([_NOTHING, *pieces])
    return times[times < until], [times[times >= until]]
