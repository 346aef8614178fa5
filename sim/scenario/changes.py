"""Entities that change: what facts set, and the streams that tell an entity's history."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sim.attributes.expressions import Sql
from sim.maths.model import NAME_PATTERN, Model, check_name, shown
from sim.scenario.schedule import PERIOD_PATTERN, Regular

TARGET_PATTERN = NAME_PATTERN[:-1] + r"(\.[a-z][a-z0-9_]{0,63})?$"


def _check_target(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(TARGET_PATTERN, value):
        return value
    if isinstance(value, str) and "." in value:
        raise ValueError(f"{shown(value)} is not an attribute: write `plan`, or `customer.plan` for an ancestor's")
    return check_name(value)


Target = Annotated[
    str,
    BeforeValidator(_check_target),
    WithJsonSchema({"type": "string", "pattern": TARGET_PATTERN, "examples": ["plan", "customer.plan"]}),
]
"""An attribute of the fact's entity, or `<entity>.<attribute>` of one that it belongs to."""

Sets = Annotated[
    dict[Target, Sql],
    Field(
        max_length=100,
        description="Attributes of the entity, or `<ancestor>.<attribute>`, that each fact changes from its time on: to"
        " a column, or SQL over the columns.",
        examples=[{"plan": "new_plan"}],
    ),
]


def _calendar(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a period such as '1 day' or '1 month'")
    return {"period": value, "anchor": "calendar"}


Period = Annotated[
    Regular,
    BeforeValidator(_calendar),
    WithJsonSchema({"type": "string", "pattern": PERIOD_PATTERN, "examples": ["1 day"]}),
]
"""A whole number of units of the civil calendar."""


class History(Model):
    """What becomes of the entities, as streams: births, changes of attributes and states, and terminal states."""

    changes: bool = Field(
        False,
        description="Stream `<entity>_change`: create, update and delete, with the entity before and after.",
        examples=[True],
    )
    versions: bool = Field(
        False,
        description="Stream `<entity>_version`: one row for each version (SCD type 2), when it ends or the run does.",
        examples=[True],
    )
    snapshots: Period | None = Field(
        None, description="Stream `<entity>_snapshot`: all entities that exist, at these times of the calendar."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.changes or self.versions or self.snapshots):
            raise ValueError("give at least one of changes, versions, snapshots")
        return self
