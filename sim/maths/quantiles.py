"""Quantiles of any distribution with a cdf, cut off at an upper bound: from a table, so that a draw is a lookup.

Inverse transform sampling (Devroye 1986, chapter II): a value uniform in [0, 1) becomes one of the distribution. What
belongs to a fact can then be a function of the fact alone, whatever is drawn for others.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sim.maths.arrays import Floats

_HALVINGS = 60


class Known(Protocol):
    """A distribution whose cumulative distribution function is known."""

    def cdf(self, x: Floats) -> Floats:
        """P(X <= x): float64[n]."""


class Quantiles:
    """The values of a distribution on [0, `most`], given that they are not above `most`.

    Raises ValueError where the distribution has nothing there.
    """

    def __init__(self, distribution: Known, most: float) -> None:
        self.most = float(most)
        mass = float(distribution.cdf(np.array([self.most]))[0])
        if not mass > 0:
            raise ValueError("the distribution has no values up to the bound")
        self._shares = _knots()
        self._values = _inverse(distribution, self._shares * mass, self.most)

    def of(self, uniform: Floats, room: Floats | None = None) -> Floats:
        """The values that so large a share of all does not exceed, float64[n]; given that each is not above `room`."""
        if room is None:
            return np.interp(uniform, self._shares, self._values)
        share = uniform * np.interp(room, self._values, self._shares)
        return np.minimum(np.interp(share, self._shares, self._values), room)


def _inverse(distribution: Known, targets: Floats, most: float) -> Floats:
    """The lowest values in [0, most] whose cdf reaches the targets, by bisection."""
    low, high = np.zeros(len(targets)), np.full(len(targets), most)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = distribution.cdf(middle) >= targets
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


def _knots() -> Floats:
    """Shares at which quantiles are tabulated: evenly, and ever closer towards 1, where they may grow without end."""
    return np.unique(np.concatenate([np.linspace(0.0, 1.0, 4097), 1.0 - 2.0 ** -np.linspace(12.0, 50.0, 1000)]))
