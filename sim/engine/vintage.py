"""A curve over age, tabulated once so that millions of ages need no curve: lower and upper bounds per cell of age.

The bounds squeeze the acceptance test; the curve itself is evaluated only where they do not decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.groups import PER_OCTAVE
from sim.maths.ages import AgeCurve
from sim.maths.curves import bounds

_CELLS = 4096


class Vintage:
    """`curve` over ages in [0, oldest + tick]; bounds for grouping cover a tick's worth of ageing."""

    def __init__(self, curve: AgeCurve, oldest: int, tick: int) -> None:
        self.curve = curve
        until = oldest + tick + 1
        breaks = curve.breaks(until)
        self._width = _cell_width(breaks, until)
        even = np.arange(0, until + self._width, self._width, dtype=np.int64)
        edges = np.unique(np.concatenate([even, breaks]))
        lower, upper = bounds(curve, edges)
        first = np.searchsorted(edges, even[:-1])
        # Cell 0 is for those who are not born yet.
        self._lower = np.concatenate([[0.0], np.minimum.reduceat(lower, first)]).astype(np.float32)
        self._upper = np.concatenate([[0.0], np.maximum.reduceat(upper, first)]).astype(np.float32)
        # float32 rounds to nearest: keep the bounds on their sides.
        self._lower *= np.float32(1 - 2e-7)
        self._upper *= np.float32(1 + 2e-7)
        self._scale = 1.0 / self._width
        self.steps, self.levels = self._grouping(tick)

    def _grouping(self, tick: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ages at which the bound for a whole tick changes its level, and log2 of the bound from each of them on."""
        reach = -(-tick // self._width) + 1
        padded = np.concatenate([self._upper[1:], np.zeros(reach, dtype=np.float32)])
        ahead = _sliding_maximum(padded.astype(np.float64), reach + 1)[: len(self._upper) - 1]
        with np.errstate(divide="ignore"):
            exact = np.log2(ahead)
            level = np.ceil(exact * PER_OCTAVE)
        starts = np.flatnonzero(np.concatenate([[True], level[1:] != level[:-1]]))
        return starts * self._width, np.maximum.reduceat(exact, starts)

    def cells(self, ages: NDArray[np.int64]) -> NDArray[np.int32]:
        """The cell of each age (negative: not born), int32[n]."""
        scaled = (ages + self._width) * self._scale
        cells = scaled.astype(np.int32)
        np.clip(cells, 0, len(self._upper) - 1, out=cells)
        return cells

    def upper(self, cells: NDArray[np.int32]) -> NDArray[np.float32]:
        """Upper bounds of the curve in cells."""
        return self._upper.take(cells)

    def lower(self, cells: NDArray[np.int32]) -> NDArray[np.float32]:
        """Lower bounds of the curve in cells."""
        return self._lower.take(cells)

    def at(self, ages: NDArray[np.int64]) -> NDArray[np.float64]:
        """The curve itself, 0 before birth."""
        values = self.curve.at(np.maximum(ages, 0))
        return np.where(ages >= 0, values, 0.0)


def _cell_width(breaks: NDArray[np.int64], until: int) -> int:
    """A width for which breaks at equal distances fall on edges of cells."""
    width = max(1, -(-until // _CELLS))
    if len(breaks):
        distance = int(breaks[0])
        if np.all(breaks % distance == 0) and until // distance < _CELLS:
            fewest = -(-distance // width)
            # Where hardly anything divides the distance, cells do not fit: their bounds are wider, not wrong.
            pieces = next((number for number in range(fewest, 2 * fewest + 1) if distance % number == 0), 0)
            width = distance // pieces if pieces else width
    return width


def _sliding_maximum(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Maximum of each element and the `reach - 1` that follow, by doubling."""
    result, covered = values.copy(), 1
    while covered < reach:
        step = min(covered, reach - covered)
        result[:-step] = np.maximum(result[:-step], result[step:])
        covered += step
    return result
