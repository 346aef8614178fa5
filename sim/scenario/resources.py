"""Resources: what the cases of processes queue for, because there is only so much of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.maths.curves import CurveRef
from sim.maths.model import Model

MAX_CAPACITY = 1_000_000
HOURS = (24, 168)
"""Hours of a day and of a week: the lengths that a list of capacities may have."""

Capacity = Annotated[int, Field(ge=0, le=MAX_CAPACITY)]


class Resource(Model):
    """Servers, beds, clerks, machines: so many cases at once, the others wait."""

    description: str = Field("", description="For the reader.")
    capacity: Capacity | list[Capacity] = Field(
        description="Cases at once; or 24 numbers by hour of the day, or 168 by hour of the week from Monday.",
        examples=[12],
    )
    calendar: CurveRef | None = Field(
        None, description="Factor on the capacity over time, looked at once an hour; the result is rounded down."
    )
    queue: Literal["fifo", "priority"] = Field(
        "fifo", description="Who is next: who came first, or who has the lowest `priority` and of these who came first."
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if isinstance(self.capacity, list) and len(self.capacity) not in HOURS:
            raise ValueError(f"capacity: {len(self.capacity)} numbers; give one, 24 (a day) or 168 (a week)")
        if not any(self.hours):
            raise ValueError("capacity: 0 at all times; nobody would ever be served")
        return self

    @property
    def hours(self) -> list[int]:
        """The capacity by hour of the day or of the week; one number where it is always the same."""
        return self.capacity if isinstance(self.capacity, list) else [self.capacity]
