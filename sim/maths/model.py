"""What every piece of the scenario language has in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
"""Names become topics, folders and columns, hence nothing that any of them would have to escape."""


UNIT_KEY = "x-unit"
"""Marks, in a JSON Schema, a quantity whose definition is worth having once, by the name that it holds."""


class Model(BaseModel):
    """Base of every part of the language: immutable, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check_name(value: object) -> str:
    """Return `value` if it can name an entity, a stream or an attribute, else raise ValueError."""
    if isinstance(value, str) and re.fullmatch(NAME_PATTERN, value):
        return value
    raise ValueError(f"{shown(value)} is not a name: a lower-case letter, then up to 63 letters, digits or _")


Name = Annotated[
    str,
    BeforeValidator(check_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "examples": ["customer", "order_line"]}),
]


def shown(value: object, width: int = 60) -> str:
    """`value` as an error message quotes it: its repr, cut to `width` characters."""
    text = repr(value) if isinstance(value, str | int | float | bool | type(None)) else _outline(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def _outline(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else repr(value)


@dataclass(frozen=True)
class Shorthand:
    """Annotation: a bare scalar stands for `{"type": kind, key: scalar}`, in validation and in the JSON Schema.

    `scalars` are the Python types taken as the short form; `schema` is the JSON Schema of the short form.
    """

    kind: str
    key: str
    scalars: tuple[type, ...]
    schema: dict[str, Any] = field(hash=False)

    def _widen(self, value: object) -> object:
        if isinstance(value, self.scalars) and not isinstance(value, bool):
            return {"type": self.kind, self.key: value}
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._widen, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [self.schema, handler(schema)]}
