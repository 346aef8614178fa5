"""Curves over time without a season: constants, growth and decay, courses through given points.

Trends are 1 at the scenario's start, and never below 0.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sim.maths.arrays import Floats, Times
from sim.maths.courses import Course, Interpolation, knots_problem
from sim.maths.timecurve import TimeCurve, sigmoid
from sim.maths.timeline import Timeline
from sim.maths.units import Duration, GrowthRate, Instant, Slope

LARGEST = 50.0
"""Exponents stop here, at a factor of 5e21, far beyond any scenario that could be run and far below overflow."""

Factor = Annotated[float, Field(ge=0, le=1e9)]


class Constant(TimeCurve):
    """The same factor at all times."""

    type: Literal["constant"]
    value: Factor = Field(description="The factor.", examples=[1.2])

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """`value`, everywhere."""
        return np.full(len(t), self.value)


class Exponential(TimeCurve):
    """Compound growth or decay: the same percentage in every period."""

    type: Literal["exponential"]
    rate: GrowthRate = Field(description="Growth per period.", examples=["8%/year", "-3%/month"])

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """exp(rate x time since the start)."""
        return np.asarray(np.exp(np.minimum(self.rate * (t - timeline.start), LARGEST)), dtype=np.float64)


class Linear(TimeCurve):
    """The same amount more, or less, in every period; what has come down to 0 stays there."""

    type: Literal["linear"]
    rate: Slope = Field(description="Change per period, relative to the level at the start.", examples=["8%/year"])

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """1 + rate x time since the start, at least 0."""
        return np.asarray(np.maximum(1 + self.rate * (t - timeline.start), 0.0))

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """Where it reaches 0."""
        return _instants([timeline.start - 1 / self.rate] if self.rate else [])


class Logarithmic(TimeCurve):
    """Growth that slows down (or decay that does): 1 + b x ln(1 + time since start / per); 1 before the start."""

    type: Literal["logarithmic"]
    b: float = Field(ge=-1e6, le=1e6, description="Gain per e-fold of time.", examples=[0.15])
    per: Duration = Field(gt=0, description="Unit of time.", examples=["month"])

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """1 + b ln(1 + elapsed / per), at least 0."""
        elapsed = np.maximum(t - timeline.start, 0)
        return np.maximum(1 + self.b * np.log1p(elapsed / self.per), 0.0)

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The start, and where it reaches 0."""
        spent = [timeline.start + self.per * np.expm1(-1 / self.b)] if self.b < 0 and -1 / self.b < 700 else []
        # powers of two between, where the logarithm bends most: quadrature is accurate on such pieces
        bends = [timeline.start + self.per * 2.0**k for k in range(-3, 40)]
        return _instants([float(timeline.start), *spent, *bends])


class Logistic(TimeCurve):
    """An S from one level to another."""

    type: Literal["logistic"]
    from_: Factor = Field(1.0, alias="from", description="Level long before the midpoint.", examples=[1.0])
    to: Factor = Field(description="Level long after the midpoint.", examples=[2.5])
    midpoint: Instant = Field(description="When it is halfway.", examples=["2024-07-01"])
    width: Duration = Field(gt=0, description="From 10% to 90% of the way.", examples=["6 months"])

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """from + (to - from) / (1 + exp(-ln 81 x (t - midpoint) / width))."""
        way = sigmoid(np.asarray(t - self.midpoint, dtype=np.float64), self.width)
        return self.from_ + (self.to - self.from_) * way

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The midpoint, and points around it that cut the S into smooth pieces."""
        return _instants([self.midpoint + self.width * k / 2 for k in range(-8, 9)])


class Points(TimeCurve):
    """A course through given levels: `values` one `per` period from the start, or `points` by instant.

    Before the first and after the last point it stays at theirs.
    """

    type: Literal["points"]
    values: list[Factor] | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="Levels, the first at the start.",
        examples=[[1.0, 1.2, 1.5]],
    )
    per: Duration | None = Field(None, gt=0, description="Time from one value to the next.", examples=["month"])
    points: dict[Instant, Factor] | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="Levels by the instant from which they hold.",
        examples=[{"2023-01-01": 1.0, "2023-06-01": 1.4}],
    )
    interpolation: Interpolation = Field("step", description="Hold each level, or move to the next in a line.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        problem = knots_problem(self.values, self.per, self.points)
        if problem:
            raise ValueError(problem)
        return self

    @cached_property
    def course(self) -> Course:
        """The points in order of time; `values` counted from the scenario's start."""
        if self.points is not None:
            return Course.of(self.points, self.interpolation)
        return Course.evenly(self.values or [1.0], 0, self.per or 1, self.interpolation)

    def _origin(self, timeline: Timeline) -> int:
        return 0 if self.points is not None else timeline.start

    def factor(self, t: Times, timeline: Timeline) -> Floats:
        """The level held or interpolated at each instant."""
        return self.course.at(t - self._origin(timeline))

    def turns(self, t0: int, t1: int, timeline: Timeline) -> Times:
        """The points."""
        return self.course.places + self._origin(timeline)


def _instants(points: list[float]) -> Times:
    near = [point for point in points if abs(point) < 2**62]
    return np.ceil(np.array(near, dtype=np.float64)).astype(np.int64)
