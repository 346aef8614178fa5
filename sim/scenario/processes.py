"""Multi-stage processes: cases that go from step to step."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sim.attributes.copula import Correlation
from sim.attributes.registry import AnyAttribute
from sim.maths.ages import AgeCurve
from sim.maths.curves import CurveRef
from sim.maths.distributions import CountDistribution, DurationDistribution
from sim.maths.model import Model, Name
from sim.maths.units import Duration, Probability, Rate, Weight
from sim.scenario.changes import Sets
from sim.scenario.schedule import Schedule
from sim.scenario.triggers import Trigger

MAX_STEPS = 200
ANY = "any"
"""Among the steps of a case's history: all of them together."""

Factor = Annotated[float, Field(ge=0, le=1e6)]


class Start(Model):
    """What starts a case: exactly one of `rate`, `every` and `on`."""

    rate: Rate | None = Field(None, description="Cases per entity and unit of time.", examples=["6/month"])
    every: Schedule | None = Field(None, description="A fixed schedule.", examples=["1 month"])
    on: Trigger | None = Field(None, description="A fact of another stream.", examples=["order"])
    curves: list[CurveRef] = Field([], max_length=64, description="Factors on the rate over time.")
    states: list[Name] | None = Field(None, description="Only while the entity is in one of these states.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("rate", "every", "on") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of rate, every, on; here: {', '.join(given) or 'none'}")
        if self.rate is None and self.curves:
            raise ValueError("curves multiply a rate")
        if self.on is not None and self.states is not None:
            raise ValueError("'states' goes with rate and every; for a fact, say it in 'where'")
        return self


class BranchEffect(Model):
    """What a segment multiplies of a branch."""

    probability: Factor = Field(1.0, description="Factor on the probability.", examples=[1.3])
    delay: Factor = Field(1.0, description="Factor on the time to the next step.", examples=[0.8])


class BranchVintage(Model):
    """What the entity's age multiplies of a branch."""

    probability: AgeCurve | None = Field(None, description="Factor on the probability, by age.")
    delay: AgeCurve | None = Field(None, description="Factor on the time to the next step, by age.")


class BranchCurves(Model):
    """What time multiplies of a branch."""

    probability: list[CurveRef] = Field([], max_length=64, description="Factors on the probability over time.")
    delay: list[CurveRef] = Field([], max_length=64, description="Factors on the time to the next step.")


class Branch(Model):
    """One way from a step to the next. What the branches of a step leave of 1 ends the case."""

    to: Name = Field(description="The step that follows.", examples=["cart"])
    probability: Probability = Field(1.0, description="Probability of going on this way.", examples=["35%"])
    after: DurationDistribution | None = Field(
        None, description="Time to the next step; if left out, that of the process.", examples=["5min"]
    )
    timeout: Duration | None = Field(
        None, gt=0, description="Who would take longer goes to `otherwise` then; if left out, that of the process."
    )
    otherwise: Name | None = Field(None, description="The step after a time-out; without it the case ends silently.")
    segments: dict[Name, dict[Name, BranchEffect]] = Field({}, description="Factors by segment.")
    vintage: BranchVintage = Field(BranchVintage(), description="Factors by age.")
    curves: BranchCurves = Field(BranchCurves(), description="Factors over time.")
    history: dict[Name, Annotated[list[Factor], Field(min_length=1, max_length=100)]] = Field(
        {},
        max_length=20,
        description="Factors on the probability by how often the case was at a step before: never, once, and so on, the"
        " last from then on. `any` counts all steps.",
        examples=[{"email": [1, 1.5], "any": [1, 1.1, 1.2]}],
    )


def _listed(value: Any) -> Any:
    """Branches from their short form, in which steps have probabilities."""
    if not isinstance(value, dict):
        return value
    return [{"to": step, "probability": probability} for step, probability in value.items()]


Priority = float | Name | dict[Name, dict[Name, float]]


class Step(Model):
    """One stage of a process; without branches it is an end."""

    next: Annotated[
        list[Branch], BeforeValidator(_listed, json_schema_input_type=list[Branch] | dict[Name, Probability])
    ] = Field([], max_length=100, description="Ways on, or just the probability of each step that may follow.")
    limit: int | None = Field(None, ge=1, le=10_000, description="A case passes this step so often at most.")
    service: DurationDistribution | None = Field(
        None, description="Time in the step, before the ways on; with a resource, the time that it is held."
    )
    resource: Name | None = Field(
        None, description="What the case queues for and then holds during `service`.", examples=["packers"]
    )
    priority: Priority = Field(
        0.0,
        description="The lower, the sooner: a number, a numeric attribute of the process, or numbers by segment.",
        examples=[1],
    )
    patience: DurationDistribution | None = Field(
        None, description="Who has not been served after so long leaves the queue.", examples=["20min"]
    )
    reneged: Name | None = Field(
        None, description="The step of those who leave the queue; without it their cases end.", examples=["abandoned"]
    )

    sets: Sets = Field({})

    @model_validator(mode="after")
    def _queueing(self) -> Self:
        if self.resource is None:
            given = [key for key in ("patience", "reneged", "priority") if key in self.model_fields_set]
            if given:
                raise ValueError(f"'{given[0]}' goes with 'resource': without one nobody waits")
        elif self.service is None:
            raise ValueError("'resource' needs 'service': without it the resource would never be released")
        if self.reneged is not None and self.patience is None:
            raise ValueError("'reneged' goes with 'patience'")
        return self

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = sum(branch.probability for branch in self.next)
        if total > 1 + 1e-9:
            raise ValueError(f"the probabilities of the branches sum to {total:g}; at most 1 is possible")
        return self


class Process(Model):
    """Cases of an entity: started, then from step to step. Each step is a fact."""

    description: str = Field("", description="For the reader, and for the schemas of the output.")
    entity: Name = Field(description="Whose cases these are.")
    start: Start = Field(description="What starts a case.")
    first: Name | dict[Name, Weight] | None = Field(
        None, description="The first step, or weights of several; the first in the list if left out."
    )
    count: CountDistribution = Field(1, validate_default=True, description="Cases per start.")
    attributes: dict[Name, AnyAttribute] = Field({}, max_length=1_000, description="Drawn at the start, carried along.")
    correlations: list[Correlation] = Field([], max_length=100, description="Attributes that are correlated.")
    each: dict[Name, AnyAttribute] = Field(
        {}, max_length=1_000, description="Drawn at every step; these may read `step`, `step_index` and `attributes`."
    )
    after: DurationDistribution | None = Field(
        None, description="Time to the next step, for branches that do not say; none if left out.", examples=["2d"]
    )
    timeout: Duration | None = Field(
        None, gt=0, description="A case ends when the next step would take longer, unless its branch says otherwise."
    )
    steps: dict[Name, Step] = Field(min_length=1, max_length=MAX_STEPS, description="The steps by name.")
    conversions: list[Name] = Field(
        [], max_length=MAX_STEPS, description="The steps that count as success, for `datagen truth`."
    )
    cases: bool = Field(False, description="Also a stream `<process>_case`: one row for each finished case.")
    label: bool = Field(False, description="A column `incident`: the name of what has hit the step, or null.")

    @field_validator("steps")
    @classmethod
    def _spare(cls, steps: dict[str, Step]) -> dict[str, Step]:
        if ANY in steps:
            raise ValueError(f"a step cannot be called {ANY!r}: in a history, that means all steps together")
        return steps

    @field_validator("first")
    @classmethod
    def _someone(cls, first: str | dict[str, float] | None) -> str | dict[str, float] | None:
        if isinstance(first, dict) and not any(first.values()):
            raise ValueError("at least one weight must be above 0")
        return first

    @property
    def initial(self) -> dict[str, float]:
        """Weights of the first steps."""
        if isinstance(self.first, dict):
            return dict(self.first)
        return {self.first or next(iter(self.steps)): 1.0}
