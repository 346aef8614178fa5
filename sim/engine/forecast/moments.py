"""What single roots have tells how much all of them together vary.

The facts of a stream in a month are a sum over roots. Where roots are born as a Poisson process the sum is compound
Poisson, and its variance is the expected sum of squares (Campbell's theorem); where there are so many by declaration,
it is the sum of the squared differences from their mean. Both hold whatever the frailty, the states or the children of
a root do, because these live and die with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.maths.predictive import count_interval

Floats = NDArray[np.float64]

POWERS = np.arange(1, 5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected count and the interval that holds the count of a run with the forecast's level."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """Roots of one kind: `size` of them in the pilot, which is `exposure` worlds; a world has a `fixed` number."""

    size: int
    exposure: float
    fixed: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and variance of counts, float64[n]: of a world (`own`) and of the estimate of the mean (`doubt`).

    `freedom` are the degrees of freedom of the variances.
    """

    mean: Floats
    own: Floats
    doubt: Floats
    freedom: Floats
    rare: Floats
    """What to add to mean and variance for what the pilot is too small to have seen: see `spread`."""
    clump: Floats


def power_sums(counts: Floats) -> Floats:
    """Sums of the first four powers of the counts of single roots: float64[4]."""
    return np.array([(counts**power).sum() for power in POWERS])


def spread(sums: Floats, group: Group, kept: float = 1.0, sure: bool = True) -> Spread:
    """The counts of one group, by its `power_sums`, float64[n, 4], of which a share `kept` of the facts was counted.

    A pilot that has seen k clumps of facts would have seen k + 1/2 as well (the posterior mean by Jeffreys 1946 for a
    Poisson rate), which matters where k is small. Where it has seen none in a month, a clump is as large as the largest
    of other months. Where all roots have the same this is `sure` to be so in every world, or only chance.
    """
    first, second, third, fourth = (sums[:, place] / kept**power for place, power in enumerate(POWERS))
    mean = first / group.exposure
    if group.fixed:
        centre = first / max(group.size, 1)
        square = second - group.size * centre**2
        fourth = fourth - 4 * centre * third + 6 * centre**2 * second - 3 * group.size * centre**4
        square = square * group.size / (group.size - 1) if group.size > 1 else first
    else:
        square = second
    square = np.where(square < 1e-9 * np.maximum(second, 1.0), 0.0, square)
    raw = square / group.exposure
    own = np.maximum(raw - (1 / kept - 1) * mean, np.minimum(raw, mean))
    excess = np.maximum(fourth - square, 0.0)
    freedom = np.divide(2 * square**2, excess, out=np.full(len(mean), math.inf), where=excess > 0)
    clumps = np.divide(square, first, out=np.zeros_like(first), where=first > 0)
    clump = np.maximum(np.where(first > 0, clumps, clumps.max(initial=0.0)), 1 / kept)
    certain = (first > 0) & (square == 0) & sure
    rare = np.where(certain | (not first.any()), 0.0, 0.5 * clump / group.exposure)
    return Spread(mean, own, raw / group.exposure, freedom, rare, clump * (1 + 1 / group.exposure))


def capped(found: Estimate, most: float) -> Estimate:
    """The estimate of a count that cannot be more than that."""
    return Estimate(min(found.mean, most), min(found.low, most), min(found.high, most))


def unseen(count: int, exposure: float) -> list[Estimate]:
    """Estimates of `count` numbers of what may happen and did not in so many worlds: after Jeffreys, half a time."""
    mean = 0.5 / exposure
    _, high = count_interval(mean, mean * (1 + 1 / exposure))
    return [Estimate(0.0, 0.0, float(high))] * count


def together(parts: list[Spread], shared: Floats | None = None, repeats: int = 1) -> list[Estimate]:
    """Estimates from the groups of roots, which are independent of each other; n of them.

    `shared`, float64[n], is the variance of what all roots have in common, estimated from so many worlds.
    """
    mean, own, doubt, rare = (sum(getattr(p, name) for p in parts) for name in ("mean", "own", "doubt", "rare"))
    variance = own + doubt + sum(part.rare * part.clump for part in parts)
    weights = sum(((part.own + part.doubt) ** 2 / part.freedom for part in parts), np.zeros(len(mean)))
    if shared is not None:
        more = shared * (1 + 1 / repeats)
        variance = variance + more
        weights = weights + more**2 / max(repeats - 1, 1)
    freedom = np.divide(variance**2, weights, out=np.full(len(mean), math.inf), where=weights > 0)
    return [
        Estimate(float(m), *_bounds(float(m + r), float(v), float(f), float(o)))
        for m, r, v, f, o in zip(mean, rare, variance, freedom, own, strict=True)
    ]


def _bounds(mean: float, variance: float, freedom: float, own: float) -> tuple[float, float]:
    """The interval; where facts come in so few clumps that there may be none of them, it begins at 0."""
    low, high = count_interval(mean, variance, freedom)
    clumps = mean * mean / own if own > mean else mean
    none = count_interval(clumps, clumps)[0] == 0
    return 0.0 if none else float(low), float(high)
