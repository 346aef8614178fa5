"""A trend through sums over time: least squares on logarithms, with its interval and its R2."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

YEAR = 365.25
LEAST = 6
"""Points that a trend needs."""

NEARER = 0.2
"""How much more of the variance a straight line must explain to be taken for the trend."""

MOSTLY = 0.6
"""The share of points that must be positive."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth a year as a share, its 95% interval, the share of variance explained, and the fitted values [n].

    A `straight` line grows by as much every year, in the unit of the values, instead. `seasonal` is the share explained
    with the shape of the year, where there are years enough to tell it.
    """

    growth: float
    low: float
    high: float
    r2: float
    seasonal: float | None
    fitted: NDArray[np.float64]
    straight: bool = False

    def of(self, values: NDArray[np.float64]) -> float:
        """The share of the variance of `values` [n] that is explained; less than 0 where their mean is nearer."""
        total = float(np.sum((values - values.mean()) ** 2))
        return 1 - float(np.sum((values - self.fitted) ** 2)) / total if total else 1.0

    def words(self, days: float) -> str:
        """The trend as a sentence, a year, or a month where the data do not cover a year."""
        per, unit = (1.0, "year") if days > YEAR else (1 / 12, "month")
        if self.straight:
            more, least, most = (_signed(per * growth) for growth in (self.growth, self.low, self.high))
            return f"Straight line, {more} a {unit} (95%: {least} to {most}), R² {self.r2:.2f}."
        grown, low, high = (100 * math.expm1(math.log1p(g) * per) for g in (self.growth, self.low, self.high))
        season = "" if self.seasonal is None else f", with the shape of the year {self.seasonal:.2f}"
        told, least, most = (_signed_share(share) for share in (grown, low, high))
        return f"Trend {told}% a {unit} (95%: {least} to {most}), R² {self.r2:.2f}{season}."


def trend(
    days: NDArray[np.float64], values: NDArray[np.float64], months: NDArray[np.int64] | None = None
) -> Trend | None:
    """An exponential trend through the positive ones of `values` [n] at `days` [n]; None where they are too few.

    log(value) = a + b day + error by ordinary least squares; the interval is Student's. With the `months` [n] of at
    least two years, 1 to 12, each of them has a factor of its own, and the trend is what is left. Where a straight line
    is much nearer to the values than that, as in a market that fills from nothing, it is the line.
    """
    there = values > 0
    if there.sum() < LEAST or there.mean() < MOSTLY:
        return None
    years, logs = days[there] / YEAR, np.log(values[there])
    seasonal = months is not None and len(logs) >= 24
    shapes = np.eye(12)[months[there] - 1] if seasonal and months is not None else np.ones((len(logs), 1))
    design = np.column_stack([years, shapes[:, shapes.any(axis=0)]])
    found, error, r2 = _least_squares(design, logs)
    middle = float(np.mean(logs) - found[0] * np.mean(years))
    low, high = (_growth(found[0] + side * error) for side in (-1, 1))
    alone = _r2(logs, middle + found[0] * years)
    fitted = np.exp(middle + found[0] * days / YEAR)
    line = _line(days, values)
    if line.r2 > _r2(values, fitted) + NEARER:
        return line
    return Trend(_growth(found[0]), low, high, alone, r2 if seasonal else None, fitted)


def _line(days: NDArray[np.float64], values: NDArray[np.float64]) -> Trend:
    design = np.column_stack([days / YEAR, np.ones(len(days))])
    found, reach, r2 = _least_squares(design, values)
    slope = float(found[0])
    return Trend(slope, slope - reach, slope + reach, r2, None, design @ found, straight=True)


def _least_squares(design: NDArray[np.float64], logs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Coefficients, the reach of the first one's 95% interval, R2."""
    from scipy import stats

    found = np.asarray(np.linalg.lstsq(design, logs, rcond=None)[0], np.float64)
    free = len(logs) - design.shape[1]
    variance = float(np.sum((logs - design @ found) ** 2)) / max(free, 1)
    error = math.sqrt(variance * float(np.linalg.pinv(design.T @ design)[0, 0]))
    return found, float(stats.t.ppf(0.975, max(free, 1))) * error, _r2(logs, design @ found)


def _r2(logs: NDArray[np.float64], fitted: NDArray[np.float64]) -> float:
    total = float(np.sum((logs - logs.mean()) ** 2))
    return max(0.0, 1 - float(np.sum((logs - fitted) ** 2)) / total) if total else 1.0


def _signed(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.3g}"


def _signed_share(percent: float) -> str:
    """One digit after the point, and no sign where nothing is left of it."""
    text = f"{percent:+.1f}"
    return text[1:] if text in ("+0.0", "-0.0") else text


def _growth(slope: float) -> float:
    return math.expm1(min(slope, 50.0))
