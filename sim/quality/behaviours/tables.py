"""Curves as tables, so that their integrals between any two of millions of instants cost two look-ups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from sim.maths.ages import AgeCurve
from sim.maths.arrays import ascending
from sim.maths.curves import BoundCurve, integrals
from sim.maths.distributions import DurationDistribution
from sim.maths.hazards import Hazard
from sim.maths.units import DAY
from sim.quality.behaviours.reading import Floats, Times

_CELLS = 4096
_CLOSE = 2e-4
_ROUNDS = 14


class TimeTable:
    """A curve c over [start, until): its integral, in microseconds, and the integral of c(t) x t."""

    def __init__(self, curve: BoundCurve, start: int, until: int) -> None:
        even = np.linspace(start, until, _CELLS + 1).astype(np.int64)
        self._edges = ascending(even, curve.breaks(start, until))
        self._start = start
        mass = integrals(curve, self._edges)
        self._level = mass / np.diff(self._edges)
        offsets = (self._edges - start).astype(np.float64)
        self._mass = np.concatenate([[0.0], np.cumsum(mass)])
        self._moment = np.concatenate([[0.0], np.cumsum(mass * (offsets[1:] + offsets[:-1]) / 2)])
        self._offsets = offsets

    def at(self, t: Times) -> tuple[Floats, Floats]:
        """The integrals from the start to each of `t`, of the curve and of the curve times (t - start)."""
        cell = np.clip(np.searchsorted(self._edges, t, side="right") - 1, 0, len(self._level) - 1)
        offset, begin = (t - self._start).astype(np.float64), self._offsets[cell]
        more = self._level[cell] * (offset - begin)
        return self._mass[cell] + more, self._moment[cell] + more * (offset + begin) / 2

    def at_offset(self, t: Times) -> Floats:
        """t - start, as the moment counts it."""
        return (t - self._start).astype(np.float64)

    def between(self, edges: Times) -> Floats:
        """The integral over each cell, float64[m] for int64[m+1]."""
        return np.diff(self.at(edges)[0])


class AgeTable:
    """A product of curves over age as lines between ages: `edges` int64[k+1], `first` and `slope` (per microsecond).

    Lines are cut until they are within 0.02% of the curve.
    """

    def __init__(self, curves: Sequence[AgeCurve], oldest: int) -> None:
        self._curves = tuple(curves)
        breaks = [curve.breaks(oldest + 1) for curve in curves]
        edges = ascending(np.array([0, oldest + 1], dtype=np.int64), *breaks)
        for _ in range(_ROUNDS if curves else 0):
            middle = (edges[:-1] + edges[1:]) // 2
            low, high = self._ends(edges)
            bent = np.abs(self.at(middle) - (low + high) / 2) > _CLOSE * np.maximum(low, high)
            bent &= np.diff(edges) > 2
            if not bent.any():
                break
            edges = ascending(edges, middle[bent])
        self.edges = edges
        self.first, last = self._ends(edges)
        self.slope = (last - self.first) / np.maximum(np.diff(edges), 1)

    @property
    def cuts(self) -> Times:
        """The ages at which one line ends and the next begins."""
        return self.edges[1:-1]

    def at(self, ages: Times) -> Floats:
        """The product at ages: float64[n]."""
        values = np.ones(len(ages))
        for curve in self._curves:
            values *= curve.at(ages)
        return values

    def _ends(self, edges: Times) -> tuple[Floats, Floats]:
        return self.at(edges[:-1]), self.at(np.maximum(edges[1:] - 1, edges[:-1]))


def cdf_of(length: DurationDistribution, x: Floats) -> Floats:
    """P(X <= x) of lengths of time, float64[n]; what takes a series a value is taken from SciPy, in bulk."""
    if length.type == "gamma":
        found = special.gammainc(length.shape, np.maximum(x, 0.0) * length.shape / length.mean())
    elif length.type == "beta" and length.high > length.low:
        found = special.betainc(length.a, length.b, np.clip((x - length.low) / (length.high - length.low), 0.0, 1.0))
    else:
        found = length.cdf(x)
    return np.asarray(found, dtype=np.float64)


class Base:
    """A hazard that accumulates with the time spent in a state: H(u) at u microseconds.

    `even` says that the hazard is constant, so that it does not matter when the state was entered.
    """

    def __init__(self, hazard: Hazard) -> None:
        self._hazard = hazard
        self.even = hazard.type != "weibull"

    def cumulative(self, elapsed: Times) -> Floats:
        """H at each of `elapsed`: float64[n]."""
        return np.asarray(self._hazard.cumulative(np.maximum(elapsed, 0)), dtype=np.float64)


class Dwelling(Base):
    """The hazard of leaving one way where the way is chosen on entry and dwell times are drawn from distributions.

    With probabilities p_k and distribution functions F_k, h_j = p_j f_j / (1 - sum p_k F_k): the cause-specific hazard
    (Andersen, Borgan, Gill and Keiding 1993, IV.1). Other exits that compete do not change it.
    """

    def __init__(self, ways: Sequence[tuple[float, DurationDistribution]], which: Sequence[int], longest: int) -> None:
        self.even = False
        low = np.geomspace(1.0, max(longest, 2), 6000)
        grid = np.unique(np.concatenate([[0.0], low, np.linspace(0, max(longest, 2), 6001)]))
        shares = np.array([probability * cdf_of(way, grid) for probability, way in ways])
        left = np.maximum(1 - shares.sum(axis=0), 0.0)
        before, after = left[:-1], left[1:]
        gone = before - after
        ratio = np.log(np.maximum(before, 1e-300) / np.maximum(after, 1e-12))
        # the logarithmic mean of what is left: exact for a single way out
        mean = np.where(gone > 1e-12, gone / np.maximum(ratio, 1e-300), before)
        own = np.diff(shares[list(which)].sum(axis=0))
        self._grid = grid
        self._sum = np.concatenate([[0.0], np.cumsum(np.where(own > 0, own / np.maximum(mean, 1e-12), 0.0))])

    def cumulative(self, elapsed: Times) -> Floats:
        """H at each of `elapsed`: float64[n]."""
        return np.asarray(np.interp(elapsed, self._grid, self._sum), dtype=np.float64)


def days(times: Times) -> Floats:
    """Microseconds as days."""
    return np.asarray(times / DAY, dtype=np.float64)
