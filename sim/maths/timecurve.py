"""What all curves over time share: a model that says what it is, bound to a timeline that says when it is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.maths.arrays import Floats, Times, ascending
from sim.maths.model import Model
from sim.maths.piecewise import Piecewise, ends
from sim.maths.timeline import Timeline

BoundCurve = Piecewise
"""A curve over the instants of one timeline: `at`, `breaks`, `limits`."""

NOTHING: Times = np.empty(0, dtype=np.int64)


class TimeCurve(Model, ABC):
    """A dimensionless factor over time, at least 0, as the scenario describes it."""

    @abstractmethod
    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """The exact factor at each instant: float64[n]."""

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """Instants between which the factor is smooth and monotone; those outside (t0, t1) do no harm."""
        return NOTHING

    def bind(self, timeline: Timeline, curves: Mapping[str, BoundCurve]) -> BoundCurve:
        """The curve on `timeline`; `curves` holds what names may refer to."""
        return OnTimeline(self, timeline)


@dataclass(frozen=True)
class OnTimeline:
    """A curve and its timeline."""

    curve: TimeCurve
    timeline: Timeline

    def at(self, t: Times) -> Floats:
        """The exact factor at each instant: float64[n]."""
        return self.curve.factor(t, self.timeline)

    def breaks(self, t0: int, t1: int) -> Times:
        """Instants strictly inside (t0, t1), ascending, between which the factor is continuous and monotone."""
        turns = self.curve.turns(t0, t1, self.timeline)
        return ascending(turns[(turns > t0) & (turns < t1)])

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Lowest and highest factor of each cell, float64[m] each; `edges` include the breaks."""
        return ends(self, edges)


@dataclass(frozen=True)
class ProductOf:
    """The product of curves: its breaks are theirs; its bounds are the products of theirs, so they hold but are wide.

    Between breaks each factor is monotone, the product need not be.
    """

    factors: tuple[BoundCurve, ...] = field(default=())

    def at(self, t: Times) -> Floats:
        """The product at each instant: float64[n]."""
        values = np.ones(len(t))
        for factor in self.factors:
            values *= factor.at(t)
        return values

    def breaks(self, t0: int, t1: int) -> Times:
        """All instants in (t0, t1) at which one of the factors has a break."""
        return ascending(NOTHING, *(factor.breaks(t0, t1) for factor in self.factors))

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Bounds per cell, float64[m] each."""
        low, high = np.ones(len(edges) - 1), np.ones(len(edges) - 1)
        for factor in self.factors:
            least, most = factor.limits(edges)
            low *= least
            high *= most
        return low, high


def product_of(curves: Sequence[BoundCurve]) -> BoundCurve:
    """The product of `curves`: the curve itself if it is one, 1 everywhere if there is none."""
    return curves[0] if len(curves) == 1 else ProductOf(tuple(curves))


def sigmoid(x: Floats, width: float) -> Floats:
    """1 / (1 + exp(-x ln 81 / width)), which climbs from 10% to 90% over `width`; without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x * (_LN9 / width))), dtype=np.float64)


_LN9 = math.log(9)
