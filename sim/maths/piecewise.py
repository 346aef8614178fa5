"""Functions of time or age that are smooth and monotone in pieces: exact bounds and accurate integrals per cell.

A cell is the half-open interval between two neighbouring `edges`, in whole microseconds.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sim.maths.arrays import Floats, Times, ascending

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_CELLS = 128


class Piecewise(Protocol):
    """A factor, at least 0, over time or age."""

    def at(self, t: Times) -> Floats:
        """The exact value at each of `t`: float64[n]."""
        ...

    def breaks(self, t0: int, t1: int) -> Times:
        """Points strictly inside (t0, t1), ascending, between which every factor is continuous and monotone.

        At a break the value is already the one that follows.
        """
        ...

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Bounds over each cell, low and high, float64[m] each; `edges` hold at least all breaks between their ends."""
        ...


def ends(curve: Piecewise, edges: Times) -> tuple[Floats, Floats]:
    """Lowest and highest value in each cell of a curve that is monotone there: one of the cell's ends."""
    first, last = curve.at(edges[:-1]), curve.at(np.maximum(edges[1:] - 1, edges[:-1]))
    return np.minimum(first, last), np.maximum(first, last)


def bounds(curve: Piecewise, edges: Times) -> tuple[Floats, Floats]:
    """`curve.limits`: bounds over each cell, float64[m] each, where `edges` is int64[m+1] and includes all breaks."""
    return curve.limits(edges)


def with_breaks(curve: Piecewise, edges: Times) -> Times:
    """`edges` (ascending) and the breaks of `curve` between their ends, ascending and without repetition."""
    return ascending(edges, curve.breaks(int(edges[0]), int(edges[-1])))


def integrals(curve: Piecewise, edges: Times) -> Floats:
    """The integral over each cell, in microseconds: float64[m] for `edges` int64[m+1], which need no breaks.

    Gauss-Legendre quadrature of order 10 on pieces that end at the breaks.
    """
    if len(edges) < 2:
        return np.zeros(max(len(edges) - 1, 0))
    step = max(int(edges[-1] - edges[0]) // _CELLS, 1)
    grid = np.arange(edges[0], edges[-1], step, dtype=np.int64)
    fine = ascending(with_breaks(curve, edges), grid)
    totals = np.concatenate(([0.0], np.cumsum(_quadrature(curve, fine))))
    return np.asarray(np.diff(totals[np.searchsorted(fine, edges)]), dtype=np.float64)


def integral(curve: Piecewise, t0: int, t1: int) -> float:
    """The integral over [t0, t1), in microseconds (the mean value times the length)."""
    return float(integrals(curve, np.array([t0, t1], dtype=np.int64))[0]) if t1 > t0 else 0.0


def _quadrature(curve: Piecewise, edges: Times) -> Floats:
    half = np.diff(edges)[:, None] / 2
    # whole microseconds inside the cell: a node rounded onto the right edge would be past a jump
    nodes = np.floor(edges[:-1, None] + half * (1 + _NODES)).astype(np.int64)
    values = curve.at(nodes.ravel()).reshape(nodes.shape)
    return np.asarray((values @ _WEIGHTS) * half[:, 0], dtype=np.float64)
