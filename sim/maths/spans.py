"""Spans of time that do not overlap, with ramps: how much of an incident is on, and what curve it makes of a rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.maths.arrays import Floats, Times, ascending
from sim.maths.piecewise import ends


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Half-open intervals [begins, ends) by time, int64[k] microseconds each.

    Inside, the level climbs from 0 to 1 in the time `up` and is back at 0 at the end, from which `down` counts
    backwards; where both do not fit, they are shortened alike.
    """

    begins: Times
    ends: Times
    up: int = 0
    down: int = 0

    def __len__(self) -> int:
        return len(self.begins)

    def touch(self, start: int, until: int) -> bool:
        """Whether any of them has a part in [start, until)."""
        return bool(np.any((self.begins < until) & (self.ends > start)))

    def number(self, times: Times) -> Times:
        """The place of the span that each time is in, -1 outside of all: int64[n]."""
        place = np.searchsorted(self.begins, times, side="right") - 1
        inside = (place >= 0) & (times < np.append(self.ends, 0).take(place))
        return np.where(inside, place, -1)

    def level(self, times: Times) -> Floats:
        """0 outside, 1 inside, in between on the ramps: float64[n]."""
        place = self.number(times)
        level = (place >= 0).astype(np.float64)
        inside = np.flatnonzero(place >= 0)
        if len(inside) and (self.up or self.down):
            up, down = self._ramps()
            at, which = times[inside], place[inside]
            climbed = _climbed(at - self.begins[which], up[which])
            level[inside] = np.minimum(climbed, _climbed(self.ends[which] - at, down[which]))
        return level

    def breaks(self, t0: int, t1: int) -> Times:
        """The ends of spans and ramps strictly inside (t0, t1), ascending."""
        up, down = self._ramps()
        near = np.flatnonzero((self.begins < t1) & (self.ends > t0))
        begins, ends = self.begins[near], self.ends[near]
        turns = np.concatenate([begins, begins + up[near].astype(np.int64), ends - down[near].astype(np.int64), ends])
        return ascending(turns[(turns > t0) & (turns < t1)])

    def _ramps(self) -> tuple[Floats, Floats]:
        """The lengths of both ramps of each span, microseconds."""
        fit = np.minimum((self.ends - self.begins) / max(self.up + self.down, 1), 1.0)
        return np.floor(self.up * fit), np.floor(self.down * fit)


def _climbed(passed: Times, ramp: Floats) -> Floats:
    return np.where(passed < ramp, passed / np.maximum(ramp, 1.0), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """The curve that is `base` outside of spans and `peak` inside, and in between on the ramps: a bound curve."""

    spans: Spans
    base: float
    peak: float

    def at(self, t: Times) -> Floats:
        """The factor at each instant: float64[n]."""
        return self.base + (self.peak - self.base) * self.spans.level(t)

    def breaks(self, t0: int, t1: int) -> Times:
        """Instants strictly inside (t0, t1), ascending, between which the factor is continuous and monotone."""
        return self.spans.breaks(t0, t1)

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Lowest and highest factor of each cell, float64[m] each; `edges` include the breaks."""
        return ends(self, edges)
