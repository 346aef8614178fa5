"""All generators: the built-in ones by `type`, and those that a user registers by name."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, get_args

from pydantic import Discriminator, Tag

from sim.attributes.attribute import Attribute
from sim.attributes.choice import Choice, Constant
from sim.attributes.computed import Expression
from sim.attributes.conditional import Case, When
from sim.attributes.custom import BUILT_IN, Custom, register_generator, registered
from sim.attributes.drifting import Autoregressive, MeanReverting, RandomWalk
from sim.attributes.fake import Fake
from sim.attributes.geo import GeoPoint
from sim.attributes.instants import Date, DateTime
from sim.attributes.keys import Sequence, Uuid
from sim.attributes.lookup import Lookup
from sim.attributes.moving import MovingPoint
from sim.attributes.nested import ListOf, Struct
from sim.attributes.numbers import (
    Beta,
    Exponential,
    Gamma,
    Integer,
    Lognormal,
    Normal,
    Pareto,
    Poisson,
    Triangular,
    Uniform,
    Weibull,
)
from sim.attributes.pattern import Pattern
from sim.attributes.totals import Posted, RunningTotal

__all__ = ["GENERATORS", "AnyAttribute", "Attribute", "register_generator", "registered"]

_BUILT_IN: tuple[type[Attribute], ...] = (
    Choice,
    Constant,
    Uniform,
    Integer,
    Normal,
    Lognormal,
    Gamma,
    Beta,
    Exponential,
    Poisson,
    Weibull,
    Pareto,
    Triangular,
    Sequence,
    Uuid,
    Pattern,
    Fake,
    Lookup,
    Expression,
    RunningTotal,
    Posted,
    MeanReverting,
    Autoregressive,
    RandomWalk,
    DateTime,
    Date,
    GeoPoint,
    MovingPoint,
    Struct,
    ListOf,
    When,
)

GENERATORS: dict[str, type[Attribute]] = {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in _BUILT_IN}
"""The built-in generators by `type`."""

BUILT_IN.update(GENERATORS)


def _tag(value: Any) -> str:
    """The `type` of a built-in generator; everything else is for `Custom` to judge, unknown names included."""
    if isinstance(value, Attribute):
        return str(getattr(value, "type", "custom")) if not isinstance(value, Custom) else "custom"
    name = value.get("type") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name in GENERATORS else "custom"


_UNION: Any = reduce(or_, [Annotated[kind, Tag(name)] for name, kind in {**GENERATORS, "custom": Custom}.items()])

AnyAttribute = Annotated[_UNION, Discriminator(_tag)]
"""One attribute, by the `type` of its generator."""

for _nested in (Struct, ListOf, Case, When):
    _nested.model_rebuild(_types_namespace={"AnyAttribute": AnyAttribute})
