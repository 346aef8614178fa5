"""Incidents: what disturbs the world for a while, an entity for a while, or a single fact, and leaves a label."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from sim.attributes.registry import AnyAttribute
from sim.maths.ages import AgeCurve
from sim.maths.curves import CurveRef
from sim.maths.distributions import DurationDistribution
from sim.maths.model import Model, Name
from sim.maths.units import Duration, HazardRate, Instant, Probability, Rate

FACT = "fact"
"""What an incident is `per` that hits single facts."""

ANY = "any"
"""Among the streams of an incident: all others that it can hit."""

LABEL = "incident"
"""What the label of a fact is called, as a column and in conditions."""

Factor = Annotated[float, Field(ge=0, le=1e6)]

_ANOMALY = {"type": "choice", "values": {"RO": 2, "US": 1}}


class IncidentEffect(Model):
    """What an incident does to the facts of one stream or process that it hits."""

    rate: Factor = Field(1.0, description="Factor on the rate.", examples=[0.1])
    extra: Rate | None = Field(
        None,
        description="Facts besides the entity's own, per entity that is hit; then `value`, `set` and the label are for"
        " these only.",
        examples=["20/day"],
    )
    value: Factor = Field(1.0, description="Factor on attributes with `value: true`.", examples=[3])
    probability: Factor = Field(
        1.0,
        description="Factor on the probability of what follows from other facts, of what is scheduled, or of a"
        " process's ways on; what would come to more than 1 comes to 1.",
        examples=[0.5],
    )
    delay: Factor = Field(1.0, description="Factor on `after`, and on the times in the steps.", examples=[4])
    set: dict[Name, AnyAttribute] = Field(
        {},
        max_length=1_000,
        description="Attributes that replace those of the stream; each may read the one that it replaces.",
        examples=[{"country": _ANOMALY}],
    )
    steps: list[Name] | None = Field(None, description="Only at these steps of a process.", examples=[["payment"]])


class Incident(Model):
    """Something unusual: for everybody at once, for one entity at a time (`per`), or in single facts (`per: fact`).

    It lasts from `from` until `until`, or begins at random and lasts a `duration`; it never overlaps itself.
    """

    description: str = Field("", description="For the reader.")
    per: Name | None = Field(
        None,
        description="The kind of entity that it happens to, one by one, or `fact`; everybody at once if left out.",
        examples=["card"],
    )
    from_: Instant | None = Field(None, alias="from", description="Where it begins.", examples=["2024-03-05 10:00"])
    until: Instant | None = Field(None, description="Where it has ended.", examples=["2024-03-05 16:00"])
    rate: HazardRate | None = Field(
        None,
        gt=0,
        description="How often it begins while it is not on, in the world or per entity.",
        examples=["2%/year"],
    )
    duration: DurationDistribution | None = Field(
        None,
        description="How long it lasts; only with `rate`.",
        examples=[{"type": "lognormal", "median": "4h", "sigma": 0.5}],
    )
    probability: Probability | None = Field(
        None, gt=0, description="Share of the facts; only with `per: fact`.", examples=["0.1%"]
    )
    curves: list[CurveRef] = Field([], max_length=64, description="Factors on `rate` or `probability` over time.")
    vintage: AgeCurve | None = Field(None, description="Factor on `rate` by age; only per entity.")
    share: Probability = Field(1.0, gt=0, description="Share of the entities that it hits when it is on for all.")
    segments: dict[Name, list[Name] | dict[Name, Factor]] = Field(
        {},
        description="Only these segments; or factors on `rate`, `share` or `probability` by segment.",
        examples=[{"region": ["north"]}],
    )
    states: list[Name] | None = Field(
        None,
        min_length=1,
        description="Only who is in one of these states; per entity, when it begins.",
        examples=[["active"]],
    )
    ramp: Duration | None = Field(None, description="Length of both ramps, inside of it.", examples=["30min"])
    ramp_up: Duration | None = Field(None, description="Time to its full effect.", examples=["30min"])
    ramp_down: Duration | None = Field(None, description="Time from its full effect to none.", examples=["2h"])
    streams: dict[Name, IncidentEffect] = Field(
        min_length=1,
        max_length=1_000,
        description="Effects by stream, child or process; `any` is for all others of these that it can hit. Births"
        " (`<entity>`) and changes of state (`<entity>_lifecycle`: the hazards) have a `rate`.",
        examples=[{"order": {"rate": 0.1}}],
    )
    label: bool = Field(True, description="Whether the ground truth tells of it.")

    @model_validator(mode="after")
    def _time(self) -> Self:
        if self.per == FACT:
            self._only_facts()
        elif self.probability is not None:
            raise ValueError("'probability' goes with 'per: fact'; an entity is hit at a 'rate'")
        elif (self.from_ is None) != (self.until is None):
            raise ValueError("'from' and 'until' go together")
        elif (self.from_ is None) == (self.rate is None):
            raise ValueError("give either 'from' and 'until', or 'rate' and 'duration'")
        elif (self.rate is None) != (self.duration is None):
            raise ValueError("'rate' and 'duration' go together")
        elif self.per is not None and self.rate is None:
            raise ValueError("'per' goes with 'rate' and 'duration'; at a fixed time an incident is on for everybody")
        return self

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.from_ is not None and self.until is not None:
            if self.until <= self.from_:
                raise ValueError("'until' must come after 'from'")
            if self.curves:
                raise ValueError("'curves' multiply a rate or a probability")
            if self.up + self.down > self.until - self.from_:
                raise ValueError("the ramps are longer than the incident")
        if self.ramp is not None and (self.ramp_up is not None or self.ramp_down is not None):
            raise ValueError("give either ramp, or ramp_up and ramp_down")
        if self.per is not None:
            self._refuse("'share' and ramps are for what hits everybody at once", "share", *_RAMPS)
        if self.per in (None, FACT):
            self._refuse("'vintage' is for what happens to one entity at a time", "vintage")
        return self

    def _only_facts(self) -> None:
        if self.probability is None:
            raise ValueError("'per: fact' needs a 'probability'")
        self._refuse("single facts have a 'probability', and no time", "from_", "until", "rate", "duration")

    def _refuse(self, message: str, *names: str) -> None:
        given: Any = self.model_fields_set & set(names)
        if given:
            raise ValueError(message)

    @property
    def up(self) -> int:
        """Length of the first ramp, microseconds."""
        return self.ramp or self.ramp_up or 0

    @property
    def down(self) -> int:
        """Length of the last ramp, microseconds."""
        return self.ramp or self.ramp_down or 0


_RAMPS = ("ramp", "ramp_up", "ramp_down")
