"""Entities that change: what facts set."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from sim.attributes.expressions import Sql
from sim.maths.model import NAME_PATTERN, check_name, shown

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
        description="Attributes of the entity, or `<ancestor>.<attribute>`, that each fact changes from its time on: to a"
        " column, or SQL over the columns.",
        examples=[{"plan": "new_plan"}],
    ),
]
