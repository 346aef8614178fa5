"""The part of an intensity that all entities share: a curve over one tick, cut into cells with bounds.

Points are placed under the cells' upper bounds by inverting the piecewise-linear cumulative bound, and thinned by
curve(t) / bound(t), which makes them exactly points of the curve's own process (Lewis and Shedler 1979). Candidates
that even the tick's lowest ratio would accept need no curve to be evaluated (a squeeze).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.maths.arrays import ascending
from sim.maths.curves import BoundCurve, bounds

_CELLS = 256


class Intensity:
    """A curve over the tick [start, until)."""

    def __init__(self, curve: BoundCurve, start: int, until: int) -> None:
        self.curve = curve
        self.start = start
        self.until = until
        even = np.linspace(start, until, _CELLS + 1).astype(np.int64)
        self._edges = ascending(even, curve.breaks(start, until))
        lower, self._upper = bounds(curve, self._edges)
        self._offsets = (self._edges - start).astype(np.float64)
        self._cumulative = np.concatenate([[0.0], np.cumsum(self._upper * np.diff(self._offsets))])
        ratio = np.divide(lower, self._upper, out=np.ones_like(lower), where=self._upper > 0)
        self.lowest_ratio = float(ratio.min())
        """Lower bound of curve(t) / bound(t) over the tick; 1 where the curve is constant in every cell."""
        self._constant = bool(np.all(self._upper == self._upper[0]))

    @property
    def mass(self) -> float:
        """Integral of the upper bound, in microseconds."""
        return float(self._cumulative[-1])

    @property
    def peak(self) -> float:
        """The highest value of the bound."""
        return float(self._upper.max())

    def place(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """`count` independent times with density proportional to the bound, ascending, int64[count]."""
        places = rng.random(count)
        places.sort()
        if self._constant:
            places *= self._offsets[-1]
        else:
            places *= self.mass
            places = np.interp(places, self._cumulative, self._offsets)
        times = places.astype(np.int64)
        np.minimum(times, self.until - self.start - 1, out=times)
        times += self.start
        return times

    def ratio(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """curve(t) / bound(t), exactly, in [0, 1]."""
        cell = np.searchsorted(self._edges, times, side="right") - 1
        upper = self._upper[cell]
        return np.divide(self.curve.at(times), upper, out=np.zeros(len(times)), where=upper > 0)
