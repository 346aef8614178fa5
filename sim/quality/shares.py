"""Shares and counts against their declaration: binomial and multinomial tests with intervals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.95
"""Confidence of the intervals that are shown."""

_EXPECTED = 5.0
_EXACT = 100_000


def wilson(hits: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a share (E. B. Wilson 1927, "Probable inference, the law of succession")."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    share, spread = hits / trials, z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def binomial(hits: int, trials: int, declared: float) -> tuple[float, float, float, float]:
    """Share, its interval, and the two-sided p-value of its being `declared`; exact unless there are many trials."""
    from scipy import stats

    low, high = wilson(hits, trials)
    if trials <= _EXACT or not 0 < declared < 1:
        p_value = float(stats.binomtest(hits, trials, declared).pvalue)
    else:
        z = (hits - trials * declared) / math.sqrt(trials * declared * (1 - declared))
        p_value = float(2 * stats.norm.sf(abs(z)))
    return hits / trials, low, high, p_value


def multinomial(counts: Floats, shares: Floats) -> tuple[float, int]:
    """The p-value of Pearson's chi-square test of counts [k] against shares [k], and the category that is most off.

    Categories with less than 5 expected are put together, the smallest first (W. G. Cochran 1954, "Some methods for
    strengthening the common chi-square tests"). 1 where there are less than two categories.
    """
    from scipy import stats

    expected = shares * counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nan_to_num(np.abs(counts - expected) / np.sqrt(expected))
    order = np.argsort(expected, kind="stable")
    small = int(np.searchsorted(np.cumsum(expected[order]), _EXPECTED)) + 1
    small = small if expected[order[0]] < _EXPECTED else 1
    # The smallest together have 5 at least, and so has each of the others.
    while small < len(order) and expected[order[small]] < _EXPECTED:
        small += 1
    groups = np.split(order, np.arange(small, len(order)))
    seen, wanted = (np.array([values[group].sum() for group in groups]) for values in (counts, expected))
    if len(groups) < 2:
        return 1.0, int(np.argmax(off))
    return float(stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue), int(np.argmax(off))
