"""Numbers that remember: autoregressive and mean-reverting values, and random walks, one for each entity."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.column import Array, Column
from sim.attributes.kinds import want_number
from sim.attributes.rows import Rows
from sim.attributes.sequential import Level, Read, Sequential
from sim.maths.model import Name
from sim.maths.units import Duration

Spread = Annotated[float, Field(ge=0, le=1e15)]


class _Drifting(Sequential):
    """What streams may share."""

    track: Name | None = Field(
        None, description="Name under which streams of one kind of entity share the value.", examples=["temperature"]
    )

    @property
    def shared(self) -> str | None:
        """The name of the value."""
        return self.track

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """float64; raises ValueError where what it reads is no number."""
        for name in sorted(self.reads()):
            want_number(types[name], str(getattr(self, "type", "")))
        return pa.float64()


class _Stationary(_Drifting):
    """Values of a distribution that does not change; carried on is the standardised deviation from the mean."""

    mean: Level | str = Field(description="Mean: a number, or an attribute of the row or its entity.", examples=[20])
    sd: Spread | str = Field(
        description="Standard deviation of the values: a number, or an attribute of the row or its entity.",
        examples=[1.5],
    )

    def reads(self) -> frozenset[str]:
        """Where mean and standard deviation come from."""
        return frozenset(name for name in (self.mean, self.sd) if isinstance(name, str))

    def steps(self, gaps: Array, read: Read, normal: Callable[[], Array]) -> tuple[Array, Array]:
        """As much noise as keeps the variance at 1; the first value is drawn from the distribution itself."""
        keep = np.where(np.isinf(gaps), 0.0, self._kept(gaps))
        return keep, np.sqrt(1 - keep * keep) * normal()

    @abstractmethod
    def _kept(self, gaps: Array) -> Array | float:
        """The correlation with the value before, for each gap."""

    def shown(self, states: Column, rows: Rows) -> Column:
        """mean + sd x deviation, with the mean and the sd of each row; null where one of these is."""
        read = [rows.column(a) for a in (self.mean, self.sd) if isinstance(a, str)]
        mean, sd = (rows.column(a).floats() if isinstance(a, str) else a for a in (self.mean, self.sd))
        unknown = [column.mask for column in read if column.mask is not None]
        return Column(mean + sd * states.values, pa.float64(), np.logical_or.reduce(unknown) if unknown else None)


class MeanReverting(_Stationary):
    """A value that strays from its mean and returns: temperatures, loads, prices.

    An Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein 1930), exact at whatever times the facts have.
    """

    agreed = ("half_life",)

    type: Literal["mean_reverting"]
    half_life: Duration = Field(gt=0, description="Time in which a deviation halves.", examples=["6h"])

    def _kept(self, gaps: Array) -> Array:
        return np.asarray(np.exp2(-gaps / self.half_life))


class Autoregressive(_Stationary):
    """A value that is correlated with that of the entity's fact before, however long ago: AR(1)."""

    agreed = ("coefficient",)

    type: Literal["autoregressive"]
    coefficient: float = Field(gt=-1, lt=1, description="Correlation with the value before.", examples=[0.8])

    def _kept(self, gaps: Array) -> float:
        return self.coefficient


class RandomWalk(_Drifting):
    """A value that goes up and down by independent normal steps and never returns: share prices, mileages."""

    since_birth = True
    agreed = ("start", "sd", "drift", "per")

    type: Literal["random_walk"]
    start: Level | str = Field(0.0, description="Value at birth: a number, or an attribute of the entity.")
    sd: Spread = Field(description="Standard deviation of a step, or of the change in `per`.", examples=[0.5])
    drift: Level = Field(0.0, description="Mean of a step, or of the change in `per`.", examples=[0.1])
    per: Duration | None = Field(
        None,
        gt=0,
        description="Walks through time, so far in such a time; otherwise one step a fact.",
        examples=["day"],
    )

    @model_validator(mode="after")
    def _goes(self) -> Self:
        if not self.sd and not self.drift:
            raise ValueError("with 'sd' 0 and no 'drift' it stays where it starts; use a constant")
        return self

    @property
    def opening(self) -> float | str:
        """Where it starts."""
        return self.start

    def reads(self) -> frozenset[str]:
        """Where it starts."""
        return self.of_entity()

    def steps(self, gaps: Array, read: Read, normal: Callable[[], Array]) -> tuple[None, Array]:
        """Brownian motion with drift over the gaps, or one step each."""
        lengths = np.ones(len(gaps)) if self.per is None else gaps / self.per
        return None, self.drift * lengths + self.sd * np.sqrt(lengths) * normal()

    def shown(self, states: Column, rows: Rows) -> Column:
        """Where it is."""
        return states
