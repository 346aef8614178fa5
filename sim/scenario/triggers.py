"""What starts a thing: a fact of another stream. Births, transitions and the steps of processes are streams too."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sim.attributes.expressions import Sql
from sim.maths.distributions import DurationDistribution
from sim.maths.model import Model, Name
from sim.maths.units import Probability


class On(Model):
    """Each fact of a stream, some of them, or a while after it."""

    stream: Name = Field(description="The stream whose facts start it.", examples=["order"])
    where: Sql | None = Field(
        None, description="Only facts for which this holds.", examples=["to_state = 'churned'", "amount > 100"]
    )
    probability: Probability = Field(1.0, description="Probability that such a fact starts it.", examples=["10%"])
    after: DurationDistribution | None = Field(
        None, description="From the fact to the start.", examples=[{"type": "lognormal", "median": "9d", "sigma": 0.6}]
    )


def _spelled_out(value: Any) -> Any:
    return {"stream": value} if isinstance(value, str) else value


Trigger = Annotated[On, BeforeValidator(_spelled_out, json_schema_input_type=str | On)]
"""The name of a stream, or a mapping with `stream` and more."""
