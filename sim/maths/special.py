"""Distribution functions without a closed form, as series (Abramowitz and Stegun 1964), without SciPy."""

from __future__ import annotations

import math

_TINY = 1e-17
_MOST_TERMS = 1_000_000


def gamma_cdf(shape: float, x: float) -> float:
    """P(X <= x) of a gamma distribution with scale 1: the regularised incomplete gamma function (6.5.29)."""
    if x <= 0:
        return 0.0
    if x > shape + 12 * math.sqrt(shape) + 50:
        return 1.0
    term = total = 1 / shape
    for number in range(1, _MOST_TERMS):
        term *= x / (shape + number)
        total += term
        if term < total * _TINY:
            break
    return min(total * math.exp(shape * math.log(x) - x - math.lgamma(shape)), 1.0)


def beta_cdf(a: float, b: float, x: float) -> float:
    """P(X <= x) of a beta distribution on [0, 1]: the regularised incomplete beta function (26.5.4)."""
    if x <= 0 or x >= 1:
        return float(x > 0)
    if x > a / (a + b):
        return 1 - beta_cdf(b, a, 1 - x)
    term = total = 1 / a
    for number in range(_MOST_TERMS):
        term *= x * (a + b + number) / (a + 1 + number)
        total += term
        if term < total * _TINY:
            break
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(total * math.exp(logarithm), 1.0)
