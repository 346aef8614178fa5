"""What is expected of the facts: statements that `datagen check` holds them against; no fact depends on them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from sim.attributes.expressions import Sql
from sim.maths.model import Model, Name
from sim.maths.units import Probability

Bound = Annotated[float, Field(ge=-1e15, le=1e15)]


class Expectation(Model):
    """A condition on a stream's rows (null does not fulfil it), or limits of a query's result, for `datagen check`."""

    stream: Name | None = Field(None, description="Whose rows.", examples=["order"])
    where: Sql | None = Field(None, description="SQL that rows fulfil.", examples=["amount > 0"])
    share: Probability = Field(1.0, gt=0, description="At least so many.", examples=["99%"])
    sql: str | None = Field(
        None,
        min_length=1,
        max_length=20_000,
        description="DuckDB query.",
        examples=['SELECT avg(amount) FROM "order"'],
    )
    min: Bound | None = Field(None, description="Least result.", examples=[20])
    max: Bound | None = Field(None, description="Largest result.", examples=[60])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        rows, number = (self.stream, self.where), (self.min, self.max)
        if self.sql is None and None in rows:
            raise ValueError("give 'stream' and 'where', or 'sql' with 'min', 'max' or both")
        if self.sql is not None and (rows != (None, None) or self.share != 1.0):
            raise ValueError("'sql' goes without 'stream', 'where' and 'share'")
        if self.sql is None and number != (None, None):
            raise ValueError("'min' and 'max' are limits of what 'sql' gives")
        if self.sql is not None and number == (None, None):
            raise ValueError("'sql' needs 'min', 'max' or both")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(f"'max' ({self.max:g}) must not be below 'min' ({self.min:g})")
        return self
