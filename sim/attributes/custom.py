"""Generators of a user's own: vectorised functions, registered by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema

from sim.attributes.attribute import Attribute
from sim.attributes.column import Column
from sim.attributes.rows import Rows
from sim.errors import ParameterError, SimulationError
from sim.maths.model import check_name

Function = Callable[..., Any]
"""Called as function(rows, rng, **parameters); returns a Column, a NumPy array or an Arrow array, one value a row."""

BUILT_IN: set[str] = set()
"""The `type`s of the generators that are part of the package; filled by `sim.attributes.registry`."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A function with the type of what it returns and the names that it reads from the row."""

    function: Function
    type: pa.DataType
    reads: frozenset[str]
    parameters: Mapping[str, inspect.Parameter]


_REGISTERED: dict[str, Registration] = {}


def register_generator(
    name: str, function: Function, type: pa.DataType | None = None, reads: tuple[str, ...] = (), replace: bool = False
) -> None:
    """Make `function` a generator that scenarios call with `type: <name>`.

    It is called as function(rows, rng, **parameters): `rows` has the event times, the ids and, by `rows.column`, what
    `reads` names; `rng` is a numpy Generator, the only source of randomness to use if runs are to be repeatable. The
    parameters are the remaining keys of the attribute, checked against the function's signature when a scenario is
    read. It returns len(rows) values of the Arrow type `type` (float64 unless given), also for no rows at all.

    Raises ParameterError for a name that is taken, unless `replace` is set for one that was registered before.
    """
    try:
        check_name(name)
    except ValueError as error:
        raise ParameterError(f"register_generator: {error}") from error
    if name in BUILT_IN or (name in _REGISTERED and not replace):
        raise ParameterError(f"register_generator: {name!r} is taken")
    kind = pa.float64() if type is None else type
    _REGISTERED[name] = Registration(function, kind, frozenset(reads), _parameters(name, function))


def _parameters(name: str, function: Function) -> Mapping[str, inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.items())
    if len(parameters) < 2:
        raise ParameterError(f"register_generator: the function of {name!r} must take rows and rng")
    return dict(parameters[2:])


def registered() -> tuple[str, ...]:
    """The names of all registered generators."""
    return tuple(sorted(_REGISTERED))


class Custom(Attribute):
    """A registered generator: its name as `type`, and the parameters of its function as further keys."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The name under which the generator is registered.", examples=["my_generator"])

    @field_validator("type")
    @classmethod
    def _known(cls, name: str) -> str:
        if name in _REGISTERED:
            return name
        names = sorted({*BUILT_IN, *_REGISTERED})
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"{name!r} is not a generator; {hint}")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        parameters = _REGISTERED[self.type].parameters
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for key in self.arguments:
            if key not in parameters and not anything:
                raise ValueError(
                    f"{key!r} is not a parameter of {self.type!r}; it has {', '.join(parameters) or 'none'}"
                )
        for key, parameter in parameters.items():
            optional = parameter.default is not parameter.empty or parameter.kind in _GATHER
            if not optional and key not in self.arguments:
                raise ValueError(f"{self.type!r} needs {key!r}")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The keys that go to the function."""
        return dict(self.__pydantic_extra__ or {})

    def reads(self) -> frozenset[str]:
        """What the function was registered with."""
        return _REGISTERED[self.type].reads

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """What the function was registered with."""
        return _REGISTERED[self.type].type

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """What the function returns; raises SimulationError where it has the wrong length or type."""
        entry = _REGISTERED[self.type]
        column = Column.of(entry.function(rows, rng, **self.arguments))
        if column.type != entry.type:
            column = _as_declared(self.type, column, entry.type)
        if len(column) != len(rows):
            raise SimulationError(f"generator {self.type!r} returned {len(column)} values for {len(rows)} rows")
        return column

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Everything whose `type` is not built in, so that the two never both match."""
        result = handler.resolve_ref_schema(handler(schema))
        result["properties"]["type"] |= {"not": {"enum": sorted(BUILT_IN)}}
        return result


_GATHER = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _as_declared(name: str, column: Column, kind: pa.DataType) -> Column:
    try:
        return Column.of(column.to_arrow().cast(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise SimulationError(f"generator {name!r} returned {column.type}, but is registered with {kind}") from error
