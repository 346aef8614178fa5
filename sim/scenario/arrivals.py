"""How entities come into being: those that exist at the start, and those that are born during the run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sim.maths.curves import CurveRef
from sim.maths.distributions import CountDistribution, DurationDistribution
from sim.maths.model import Model
from sim.maths.units import Rate
from sim.scenario.triggers import Trigger

MAX_ENTITIES = 100_000_000


class Initial(Model):
    """The entities that exist when the scenario starts."""

    count: int = Field(ge=0, le=MAX_ENTITIES, description="How many there are.", examples=[1000])
    age: DurationDistribution | None = Field(
        None,
        description="Their ages at the start; without it all are born at the start.",
        examples=[{"type": "exponential", "mean": "300d"}],
    )


class BassArrivals(Model):
    """A market of fixed size that adopts by innovation and imitation (Bass 1969)."""

    type: Literal["bass"]
    market: int = Field(ge=1, le=MAX_ENTITIES, description="Expected number of entities in the end.")
    p: Rate = Field(gt=0, description="Coefficient of innovation.", examples=["0.03/year"])
    q: Rate = Field(ge=0, description="Coefficient of imitation.", examples=["0.38/year"])


class Arrivals(Model):
    """How entities are born during the run: exactly one of `rate`, `total`, `diffusion`, `per_parent` and `on`."""

    rate: Rate | None = Field(None, description="Births per unit of time, a Poisson process.", examples=["40/day"])
    total: int | None = Field(None, ge=0, le=MAX_ENTITIES, description="Exactly so many births over the whole run.")
    diffusion: BassArrivals | None = Field(None, description="Births that follow a diffusion curve.")
    per_parent: CountDistribution | None = Field(
        None, description="Births per parent entity.", examples=[{"type": "poisson", "mean": 1.4, "min": 1}]
    )
    after: DurationDistribution | None = Field(
        None, description="From the parent's birth to the birth; only with `per_parent`.", examples=["30d"]
    )
    on: Trigger | None = Field(
        None,
        description="Births from facts of the parent.",
        examples=[{"stream": "checkout", "where": "step = 'paid'"}],
    )
    count: CountDistribution = Field(1, validate_default=True, description="Births per such fact; only with `on`.")
    curves: list[CurveRef] = Field([], max_length=64, description="Factors on the rate, or the shape of the total.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        keys = ("rate", "total", "diffusion", "per_parent", "on")
        ways = [key for key in keys if getattr(self, key) is not None]
        if len(ways) != 1:
            raise ValueError(f"give exactly one of {', '.join(keys)}; here: {', '.join(ways) or 'none'}")
        if self.per_parent is None and self.after is not None:
            raise ValueError("'after' goes with 'per_parent' only")
        if (self.per_parent is not None or self.on is not None) and self.curves:
            raise ValueError("'curves' go with rate, total or diffusion")
        return self
