"""A curve over age, tabulated once so that millions of ages need no curve: bounds for a whole tick, by age.

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
    """`curve` over ages in [0, oldest + tick], in steps of age within which one pair of bounds will do.

    Whoever is within a step when a tick begins stays between its bounds until the tick ends: `lows` and `highs`,
    float64[k], from the ages `steps`, int64[k] microseconds, on. `levels` is log2 of the bound by which entities are
    grouped, which changes more rarely than the others.
    """

    def __init__(self, curve: AgeCurve, oldest: int, tick: int) -> None:
        self.curve = curve
        until = oldest + tick + 1
        breaks = curve.breaks(until)
        width = _cell_width(breaks, until)
        even = np.arange(0, until + width, width, dtype=np.int64)
        edges = np.unique(np.concatenate([even, breaks]))
        lower, upper = bounds(curve, edges)
        first = np.searchsorted(edges, even[:-1])
        reach = -(-tick // width) + 1
        low = _sliding(np.minimum, np.minimum.reduceat(lower, first), reach + 1)
        high = _sliding(np.maximum, np.maximum.reduceat(upper, first), reach + 1)
        self._step(low * (1 - 2e-7), high * (1 + 2e-7), width)

    def _step(self, low: NDArray[np.float64], high: NDArray[np.float64], width: int) -> None:
        with np.errstate(divide="ignore"):
            exact = np.log2(high)
            ceiling, floor = np.ceil(exact * PER_OCTAVE), np.floor(np.log2(low) * PER_OCTAVE)
        new, falls = _changes(ceiling), _changes(floor)
        rises = np.flatnonzero(new)
        group = np.repeat(np.maximum.reduceat(exact, rises), np.diff(np.append(rises, len(exact))))
        starts = np.flatnonzero(new | falls)
        self.steps = starts * width
        self.levels = group[starts]
        self.lows = np.minimum.reduceat(low, starts)
        self.highs = np.maximum.reduceat(high, starts)

    def step(self, ages: NDArray[np.int64]) -> NDArray[np.int64]:
        """The step in which each age is; the first before birth."""
        return np.searchsorted(self.steps[1:], ages, side="right")

    def at(self, ages: NDArray[np.int64]) -> NDArray[np.float64]:
        """The curve itself, 0 before birth."""
        if not len(ages) or ages.min() >= 0:
            return self.curve.at(ages)
        return np.where(ages >= 0, self.curve.at(np.maximum(ages, 0)), 0.0)


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


def _changes(levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.concatenate([[True], levels[1:] != levels[:-1]])


def _sliding(extreme: np.ufunc, values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The extreme of each element and the `reach - 1` that follow, as far as there are any, by doubling."""
    result, covered = values.copy(), 1
    while covered < min(reach, len(values)):
        step = min(covered, reach - covered)
        extreme(result[:-step], result[step:], out=result[:-step])
        covered += step
    return result
