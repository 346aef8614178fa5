"""What goes wrong on the way from the world to the sink, per stream: the facts are right, their delivery is not."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.maths.distributions import DurationDistribution
from sim.maths.model import Model
from sim.maths.quantiles import Quantiles
from sim.maths.units import Duration, Probability

Share = Annotated[Probability, Field(gt=0)]


class Late(Model):
    """Facts that arrive after they happened."""

    probability: Share = Field(description="Share of the facts.", examples=["5%"])
    delay: DurationDistribution = Field(
        description="From event time to arrival; cut off at the bound.",
        examples=[{"type": "lognormal", "median": "30s", "sigma": 1}],
    )


class Duplicates(Model):
    """Facts that arrive twice, the same id both times."""

    probability: Share = Field(description="Share of the facts.", examples=["1%"])
    after: DurationDistribution = Field(
        description="From the first arrival to the second; cut off at the bound.",
        examples=[{"type": "exponential", "mean": "20s"}],
    )


class Stalls(Model):
    """Times in which nothing arrives; what was held up arrives in one burst at their end."""

    every: Duration = Field(gt=0, description="One stall in each such period, somewhere in it.", examples=["1h"])
    lasts: Duration = Field(gt=0, description="How long it lasts.", examples=["2min"])

    @model_validator(mode="after")
    def _shorter(self) -> Self:
        if self.lasts >= self.every:
            raise ValueError("'lasts' must be shorter than 'every'")
        return self


class ClockSkew(Model):
    """Entities whose clocks are wrong: the event times of their facts are off by the same length, always."""

    share: Share = Field(description="Share of the entities.", examples=["2%"])
    offset: DurationDistribution = Field(
        description="How far off a clock is.", examples=[{"type": "exponential", "mean": "90s"}]
    )
    direction: Literal["ahead", "behind", "either"] = Field(
        "either", description="Whether clocks are fast, slow, or one as likely as the other."
    )


class HotKeys(Model):
    """Facts that claim to be of a few entities, whosever they are: load on few partitions."""

    share: Share = Field(description="Share of the facts.", examples=["20%"])
    keys: int = Field(1, ge=1, le=10_000, description="Of how many entities, those with the lowest ids.")


class Corrupt(Model):
    """Facts that arrive broken."""

    probability: Share = Field(description="Share of the facts.", examples=["0.1%"])
    kinds: list[Literal["missing_field", "wrong_type", "truncated", "bad_utf8", "oversize", "wrong_schema_id"]] = Field(
        min_length=1,
        max_length=6,
        description="How, one as likely as the other; all but the first are for messages.",
        examples=[["missing_field", "truncated"]],
    )


class Faults(Model):
    """The faults of one stream; each injection is a row of the ledger."""

    bound: Duration | None = Field(
        None, gt=0, description="Nothing arrives later than this after its event time.", examples=["10min"]
    )
    late: Late | None = Field(None, description="Late facts, out of order.")
    duplicates: Duplicates | None = Field(None, description="Facts that arrive twice.")
    drops: Probability = Field(0.0, description="Share of the facts that never arrive.", examples=["0.1%"])
    stalls: Stalls | None = Field(None, description="Interruptions, each followed by a burst.")
    clock_skew: ClockSkew | None = Field(None, description="Clocks of entities that are wrong.")
    hot_keys: HotKeys | None = Field(None, description="Facts with the key of another entity.")
    corrupt: Corrupt | None = Field(None, description="Facts that arrive broken.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        delaying = [name for name in ("late", "duplicates", "stalls") if getattr(self, name) is not None]
        if not delaying:
            if self.bound is not None:
                raise ValueError("'bound' goes with late, duplicates or stalls")
            return self
        if self.bound is None:
            raise ValueError(f"'bound' is needed beside '{delaying[0]}': how late a fact may arrive")
        if self.room <= 0:
            raise ValueError("'bound' must be longer than stalls.lasts")
        if self.late is not None:
            _possible("late.delay", self.late.delay, self.room)
        if self.duplicates is not None:
            _possible("duplicates.after", self.duplicates.after, self.room)
        return self

    @property
    def room(self) -> int:
        """Microseconds by which a fact may be late or repeated, so that with a stall it stays within the bound."""
        return (self.bound or 0) - (self.stalls.lasts if self.stalls else 0)


def _possible(name: str, distribution: DurationDistribution, room: int) -> None:
    try:
        Quantiles(distribution, room)
    except ValueError:
        raise ValueError(f"'{name}' is never within the bound") from None
