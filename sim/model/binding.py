"""Curves bound to the scenario's time; the same list of names is bound once."""

from __future__ import annotations

from collections.abc import Sequence

from sim.maths.curves import BoundCurve, CurveRef, bind, bind_all, integral, product_of
from sim.maths.timeline import Timeline
from sim.scenario.schema import Scenario


class Binder:
    """Binds the curves of a scenario; products of the same curves are one object, so that work on them is shared."""

    def __init__(self, scenario: Scenario) -> None:
        self.timeline = Timeline(scenario.start, scenario.end, scenario.zone)
        self.curves = bind_all(scenario.curves, self.timeline)
        self._products: dict[str, BoundCurve] = {}
        self._integrals: dict[str, float] = {}

    def product(self, curves: Sequence[CurveRef]) -> BoundCurve:
        """The product of named and inline curves; of none, the constant 1."""
        key = repr(list(curves))
        if key not in self._products:
            self._products[key] = product_of([bind(curve, self.timeline, self.curves) for curve in curves])
        return self._products[key]

    def integral(self, curves: Sequence[CurveRef]) -> float:
        """The integral of the product over the run, in microseconds."""
        key = repr(list(curves))
        if key not in self._integrals:
            self._integrals[key] = integral(self.product(curves), self.timeline.start, self.timeline.end)
        return self._integrals[key]
