"""Modifiers of numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.column import Array, Column
from sim.attributes.kinds import is_integer, want_number
from sim.attributes.modifier import BaseModifier, NumberModifier
from sim.attributes.rows import Rows
from sim.maths.curves import CurveRef
from sim.maths.trends import Exponential
from sim.maths.units import GrowthRate, Probability


class Multiply(NumberModifier):
    """Times a number."""

    type: Literal["multiply"]
    by: float = Field(description="The factor.", examples=[1.2])

    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """The products."""
        return values * self.by


class _Whole(BaseModifier):
    """A step that keeps whole numbers whole where its own parameters are."""

    @abstractmethod
    def _numbers(self) -> list[float]: ...

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """int64 for whole numbers if the parameters are whole, else float64; raises ValueError for what is none."""
        want_number(kind, str(getattr(self, "type", "this")))
        whole = all(number == int(number) for number in self._numbers())
        return pa.int64() if is_integer(kind) and whole else pa.float64()


class Add(_Whole):
    """Plus a number."""

    type: Literal["add"]
    amount: float = Field(ge=-1e15, le=1e15, description="What is added.", examples=[5])

    def _numbers(self) -> list[float]:
        return [self.amount]

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The sums."""
        kind = self.arrow_type(column.type, {})
        amount = int(self.amount) if is_integer(kind) else self.amount
        return Column(column.values + amount, kind, column.mask)


class Clamp(_Whole):
    """What is below `min` becomes `min`, what is above `max` becomes `max`."""

    type: Literal["clamp"]
    min: float | None = Field(None, ge=-1e15, le=1e15, description="Lowest value.", examples=[1])
    max: float | None = Field(None, ge=-1e15, le=1e15, description="Highest value.", examples=[500])

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give 'min', 'max' or both")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(f"'max' ({self.max:g}) must not be below 'min' ({self.min:g})")
        return self

    def _numbers(self) -> list[float]:
        return [limit for limit in (self.min, self.max) if limit is not None]

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The limited values."""
        kind = self.arrow_type(column.type, {})
        values = np.clip(column.values, self.min, self.max)
        return Column(values.astype(np.int64 if is_integer(kind) else np.float64, copy=False), kind, column.mask)


class Round(BaseModifier):
    """To so many decimal places, or to the nearest multiple of a number; halves go to the even neighbour."""

    type: Literal["round"]
    digits: int | None = Field(None, ge=-15, le=15, description="Decimal places; 0 unless `to` is given.", examples=[2])
    to: float | None = Field(None, gt=0, le=1e15, description="Multiples of this are kept.", examples=[0.05])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.digits is not None and self.to is not None:
            raise ValueError("give 'digits' or 'to', not both")
        return self

    def arrow_type(self, kind: pa.DataType, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The same type; raises ValueError for what is no number."""
        want_number(kind, "round")
        return pa.int64() if is_integer(kind) else pa.float64()

    def apply(self, column: Column, rows: Rows, rng: np.random.Generator) -> Column:
        """The rounded values."""
        values = np.round(column.values, self.digits or 0) if self.to is None else self._multiples(column.values)
        kind = self.arrow_type(column.type, {})
        return Column(values.astype(np.int64 if is_integer(kind) else np.float64, copy=False), kind, column.mask)

    def _multiples(self, values: Array) -> Array:
        step = self.to or 1.0
        parts = round(1 / step)
        if parts and abs(parts * step - 1) < 1e-12:
            return np.asarray(np.rint(values * parts) / parts)  # 3 / 20 is 0.15, 3 * 0.05 is not
        return np.asarray(np.rint(values / step) * step)


class Jitter(NumberModifier):
    """Times a normally distributed factor around 1."""

    type: Literal["jitter"]
    sd: float = Field(ge=0, le=10, description="Standard deviation, relative to the value.", examples=[0.05])

    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """The values, spread."""
        factor = rng.standard_normal(len(values))
        factor *= self.sd
        factor += 1
        factor *= values
        return factor


class Seasonality(NumberModifier):
    """Times a curve at the time of the fact."""

    type: Literal["seasonality"]
    curve: CurveRef = Field(description="Name of a curve, or a curve.", examples=["weekly"])

    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """The values at their season."""
        return values * rows.curve(self.curve)


class Trend(NumberModifier):
    """Growing or shrinking from the scenario's start on: by a rate, or along a curve."""

    type: Literal["trend"]
    rate: GrowthRate | None = Field(None, description="Compound growth.", examples=["8%/year"])
    curve: CurveRef | None = Field(None, description="Name of a curve, or a curve.", examples=["growth"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.rate is None) == (self.curve is None):
            raise ValueError("give either 'rate' or 'curve'")
        return self

    @cached_property
    def course(self) -> CurveRef:
        """The curve, or the exponential one that the rate stands for."""
        if self.curve is not None:
            return self.curve
        return Exponential.model_construct(type="exponential", rate=self.rate or 0.0)

    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """The values at their place in the trend."""
        return values * rows.curve(self.course)


class Outliers(NumberModifier):
    """Now and then a value is off by a factor."""

    type: Literal["outliers"]
    probability: Probability = Field(description="How often.", examples=[0.001])
    factor: float = Field(10.0, ge=-1e6, le=1e6, description="By how much.", examples=[10])

    def change(self, values: Array, rows: Rows, rng: np.random.Generator) -> Array:
        """The values, a few of them multiplied."""
        return np.where(rng.random(len(values)) < self.probability, values * self.factor, values)
