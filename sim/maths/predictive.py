"""Prediction intervals of counts, from a mean and a variance, without SciPy.

Counts that vary more than a Poisson variable are taken as negative binomial, a Poisson variable whose rate is itself
gamma distributed (Greenwood and Yule 1920); those that vary less as normal, corrected for continuity.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

_ENUMERATED = 200_000
"""Up to here quantiles are found by adding up probabilities, beyond by an expansion."""


def count_interval(mean: float, variance: float, freedom: float = math.inf, level: float = 0.95) -> tuple[int, int]:
    """The smallest interval of whole numbers, equal tails, that holds a count with probability `level` at least.

    `freedom` are the degrees of freedom of the estimate of the variance: fewer make the interval wider.
    """
    tail = (1 - level) / 2
    z = NormalDist().inv_cdf(1 - tail)
    variance *= (student_quantile(1 - tail, freedom) / z) ** 2
    if variance <= mean or mean <= 0:
        reach = z * math.sqrt(max(variance, 0.0))
        return max(math.ceil(mean - reach - 0.5), 0), max(math.floor(mean + reach + 0.5), 0)
    if mean + 10 * math.sqrt(variance) < _ENUMERATED:
        return _enumerated(mean, variance, tail)
    low, high = (_expanded(mean, variance, share) for share in (-z, z))
    return max(math.floor(low), 0), math.ceil(high)


def student_quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t distribution, by the expansion of Fisher and Cornish (1960).

    Within 4% from two degrees of freedom on; fewer count as two.
    """
    z = NormalDist().inv_cdf(share)
    if math.isinf(freedom):
        return z
    nu = max(freedom, 2.0)
    return (
        z
        + (z**3 + z) / (4 * nu)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    )


def _enumerated(mean: float, variance: float, tail: float) -> tuple[int, int]:
    """Quantiles of the negative binomial from the ratios of successive probabilities."""
    success = mean / variance
    size = mean * success / (1 - success)
    counts = np.arange(math.ceil(mean + 40 * math.sqrt(variance)) + 40)
    steps = np.log((counts + size) / (counts + 1)) + math.log1p(-success)
    logarithms = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.cumsum(np.exp(logarithms - logarithms.max()))
    chances /= chances[-1]
    return int(np.searchsorted(chances, tail, side="right")), int(np.searchsorted(chances, 1 - tail, side="left"))


def _expanded(mean: float, variance: float, z: float) -> float:
    """The same, from the first three moments (Cornish and Fisher 1938)."""
    skewness = (2 * variance / mean - 1) / math.sqrt(variance)
    return mean + math.sqrt(variance) * (z + (z * z - 1) * skewness / 6)
