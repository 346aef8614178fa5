"""What every attribute has, whatever generates its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.column import Array, Column
from sim.attributes.kinds import want_number
from sim.attributes.modifiers import Modifier
from sim.attributes.recoding import Null
from sim.attributes.rows import Rows
from sim.maths.curves import CurveRef
from sim.maths.instants import Instant
from sim.maths.model import Model


class Attribute(Model, ABC):
    """A column of a stream or of a population: a generator, then factors, then modifiers in order."""

    logical: ClassVar[str] = ""
    """What its text is, to formats that can say so."""

    value: bool = Field(False, description="Whether the value multipliers of segments and vintage apply.")
    curves: list[CurveRef] = Field([], max_length=64, description="Curves over time that the value is multiplied by.")
    modifiers: list[Modifier] = Field([], max_length=64, description="Steps after the draw, in this order.")
    description: str = Field("", max_length=2_000, description="What the column means, for its readers.")
    added: Instant | None = Field(
        None, description="The column is there from this instant on, and null before.", examples=["2024-03-01"]
    )
    dropped: Instant | None = Field(
        None, description="The column is there until this instant, and null after.", examples=["2025-01-01"]
    )

    @model_validator(mode="after")
    def _check_span(self) -> Self:
        if self.added is not None and self.dropped is not None and self.dropped <= self.added:
            raise ValueError("dropped must be after added")
        for place, part in self.parts.items():
            if part.added is not None or part.dropped is not None:
                raise ValueError(f"{place}: only whole columns are added and dropped, not what they are made of")
        return self

    @property
    def by_value(self) -> bool:
        """Whether the value multipliers of segments and vintage apply."""
        return self.value

    @property
    def parts(self) -> dict[str, Attribute]:
        """The attributes that it is made of, by their place in it; most are made of none."""
        return {}

    def reads(self) -> frozenset[str]:
        """Names of the row (siblings and context) that the generator needs."""
        return frozenset()

    def needs(self) -> frozenset[str]:
        """Names of the row that the generator or a modifier needs."""
        return self.reads().union(*(modifier.reads() for modifier in self.modifiers))

    def looks_up(self) -> frozenset[str]:
        """Kinds of the entities that it refers to."""
        return frozenset()

    def reads_of(self, entity: str) -> frozenset[str]:
        """Names of the attributes of `entity` that it needs in order to refer to one."""
        return frozenset()

    def metadata(self) -> dict[str, str]:
        """What the column's Arrow field says of it: `description`, from when until when it is there (microseconds), and
        what its text is, where modifiers keep that true (`logical`).
        """
        found = {"description": self.description}
        for key, instant in (("added", self.added), ("dropped", self.dropped)):
            if instant is not None:
                found[key] = str(instant)
        kept = all(isinstance(modifier, Null) for modifier in self.modifiers)
        return found | {"logical": self.logical} if self.logical and kept else found

    def column_name(self, name: str) -> str:
        """The name of the output column of an attribute called `name`."""
        return name

    @abstractmethod
    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The type that the generator gives, from the types of what it reads.

        Raises ValueError where these do not fit.
        """

    @abstractmethod
    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One value for each row, before factors and modifiers."""

    def from_normal(self, normal: Array) -> Column:
        """One value for each standard normal number float64[n]: the generator's quantile of the number's own.

        Raises ValueError where the generator has no quantile function.
        """
        raise ValueError(f"cannot be correlated: {getattr(self, 'type', 'this')} has no quantile function here")

    def result_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The type after factors and modifiers.

        Raises AttributeProblem, with the place inside the attribute, where a step does not fit.
        """
        with at(""):
            kind = self.arrow_type(types)
        if self.by_value or self.curves:
            key = "value" if self.by_value else "curves"
            with at(key):
                want_number(kind, key)
            kind = pa.float64()
        for place, modifier in enumerate(self.modifiers):
            with at(f"modifiers[{place}]"):
                kind = modifier.arrow_type(kind, types)
        return kind

    def make(self, rows: Rows, name: str, drawn: Column | None = None) -> Column:
        """The finished column of the attribute called `name`: draw, value factor, curves, modifiers in order.

        `drawn` is used instead of a draw, where it is known already.
        """
        rng = rows.rng(name)
        column = self.generate(rows, rng) if drawn is None else drawn
        if self.by_value or self.curves:
            column = Column(self._factors(column, rows, name), pa.float64(), column.mask)
        for modifier in self.modifiers:
            column = modifier.apply(column, rows, rng)
        return column

    def _factors(self, column: Column, rows: Rows, name: str) -> Array:
        values = column.values.astype(np.float64, copy=False)
        factor = rows.value_factor(name) if self.by_value else None
        if factor is not None:
            values = values * factor
        for curve in self.curves:
            values = values * rows.curve(curve)
        return values


class AttributeProblem(ValueError):
    """What is wrong with an attribute; `place` is where in it (`modifiers[0]`, or empty), `reason` why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


@contextmanager
def at(place: str) -> Iterator[None]:
    """Whatever ValueError is raised inside becomes an AttributeProblem at `place`."""
    try:
        yield
    except AttributeProblem as problem:
        inner = ".".join(part for part in (place, problem.place) if part)
        raise AttributeProblem(inner, problem.reason) from problem
    except ValueError as error:
        raise AttributeProblem(place, str(error)) from error
