"""All curves over time, and how a scenario refers to them: by name, or written in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sim.maths.incidents import Holidays, Window
from sim.maths.model import Name
from sim.maths.piecewise import bounds, integral, integrals, with_breaks
from sim.maths.seasonal import DayOfMonth, DayOfWeek, HourOfDay, Month
from sim.maths.timecurve import BoundCurve, TimeCurve, product_of
from sim.maths.timeline import Timeline
from sim.maths.trends import Constant, Exponential, Linear, Logarithmic, Logistic, Points

__all__ = [
    "BoundCurve",
    "Curve",
    "CurveRef",
    "Product",
    "Timeline",
    "bind",
    "bind_all",
    "bounds",
    "integral",
    "integrals",
    "product_of",
    "with_breaks",
]


class Product(TimeCurve):
    """The product of other curves, so that several can be used under one name."""

    type: Literal["product"]
    curves: list[CurveRef] = Field(
        min_length=1, max_length=64, description="Names of curves, or curves.", examples=[["growth", "daily"]]
    )

    def factor(self, t: Any, timeline: Timeline) -> Any:
        """The product of the curves that are written in place; names need `bind`."""
        return self.bind(timeline, {}).at(t)

    def bind(self, timeline: Timeline, curves: Mapping[str, BoundCurve]) -> BoundCurve:
        """The product of the factors on `timeline`. Raises KeyError for a name that `curves` does not hold."""
        return product_of([bind(curve, timeline, curves) for curve in self.curves])


Curve = Annotated[
    Constant
    | Exponential
    | Linear
    | Logarithmic
    | Logistic
    | Points
    | HourOfDay
    | DayOfWeek
    | DayOfMonth
    | Month
    | Holidays
    | Window
    | Product,
    Field(discriminator="type"),
]
"""One curve, by its `type`."""


def _form(value: object) -> str:
    return "inline" if isinstance(value, dict | TimeCurve) else "name"


CurveRef = Annotated[
    Annotated[Name, Tag("name")] | Annotated[Curve, Tag("inline")],
    Discriminator(_form),
]
"""The name of a curve, or a curve."""

Product.model_rebuild()


def bind(curve: str | TimeCurve, timeline: Timeline, curves: Mapping[str, BoundCurve]) -> BoundCurve:
    """A curve, or the one that a name refers to, on `timeline`. Raises KeyError for an unknown name."""
    return curves[curve] if isinstance(curve, str) else curve.bind(timeline, curves)


def bind_all(named: Mapping[str, TimeCurve], timeline: Timeline) -> dict[str, BoundCurve]:
    """All of a scenario's curves on `timeline`, whatever their order. Raises ValueError where products form a cycle."""
    bound: dict[str, BoundCurve] = {}
    waiting = dict(named)
    while waiting:
        ready = [name for name, curve in waiting.items() if references(curve) <= bound.keys()]
        if not ready:
            raise ValueError(f"curves refer to each other in a cycle: {', '.join(sorted(waiting))}")
        for name in ready:
            bound[name] = waiting.pop(name).bind(timeline, bound)
    return bound


def references(curve: TimeCurve) -> frozenset[str]:
    """The names that a product refers to, however deep; of other curves nothing."""
    if not isinstance(curve, Product):
        return frozenset()
    inline = [references(part) for part in curve.curves if not isinstance(part, str)]
    return frozenset(part for part in curve.curves if isinstance(part, str)).union(*inline)
