"""All modifiers: what is done to values after they are drawn, one after the other, by `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sim.attributes.modifier import BaseModifier
from sim.attributes.recoding import Compute, MapValues, Null, Shift, TimeJitter
from sim.attributes.scaling import Add, Clamp, Jitter, Multiply, Outliers, Round, Seasonality, Trend

__all__ = ["BaseModifier", "Modifier"]

Modifier = Annotated[
    Multiply
    | Add
    | Clamp
    | Round
    | Jitter
    | TimeJitter
    | Shift
    | MapValues
    | Seasonality
    | Trend
    | Outliers
    | Compute
    | Null,
    Field(discriminator="type"),
]
"""One modifier, by its `type`."""
