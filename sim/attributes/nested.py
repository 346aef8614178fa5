"""Generators of nested values: `object` and `array`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute, at
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.attributes.sequential import Sequential
from sim.attributes.view import Wrapped
from sim.maths.counts import CountDistribution
from sim.maths.curves import CurveRef
from sim.maths.model import Name

if TYPE_CHECKING:
    from sim.attributes.registry import AnyAttribute

MAX_ELEMENTS = 100
"""The expected length of a list, at most."""


class Nested(Attribute):
    """An attribute made of others, which read the row, but not each other."""

    def _check_parts(self) -> None:
        for place, part in self.parts.items():
            if isinstance(part, Sequential):
                kind = getattr(part, "type", "this")
                raise ValueError(f"{place}: {kind} follows from the entity's past; it must be an attribute of its own")

    def reads(self) -> frozenset[str]:
        """All that the parts read."""
        return frozenset().union(*(part.needs() for part in self.parts.values()))

    def looks_up(self) -> frozenset[str]:
        """All that the parts refer to."""
        return frozenset().union(*(part.looks_up() for part in self.parts.values()))

    def reads_of(self, entity: str) -> frozenset[str]:
        """All that the parts read of `entity`."""
        return frozenset().union(*(part.reads_of(entity) for part in self.parts.values()))


class Struct(Nested):
    """A struct of other attributes."""

    type: Literal["object"]
    fields_: dict[Name, AnyAttribute] = Field(
        alias="fields",
        min_length=1,
        max_length=100,
        description="The parts by name; each is an attribute.",
        examples=[{"street": {"type": "faker", "provider": "street_address"}}],
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        self._check_parts()
        return self

    @property
    def parts(self) -> dict[str, Attribute]:
        """The fields."""
        return {f"fields.{name}": part for name, part in self.fields_.items()}

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """A struct of what the parts give."""
        fields = []
        for name, part in self.fields_.items():
            with at(f"fields.{name}"):
                fields.append(pa.field(name, plain(part.result_type(types))))
        return pa.struct(fields)

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One struct for each row; every part has a random stream of its own."""
        streams = rng.spawn(len(self.fields_))
        arrays = {
            name: plain_array(part.make(Seeded(rows, stream), name))
            for (name, part), stream in zip(self.fields_.items(), streams, strict=True)
        }
        fields = [pa.field(name, array.type) for name, array in arrays.items()]
        return Column.of(pa.StructArray.from_arrays(list(arrays.values()), fields=fields))


class ListOf(Nested):
    """A list of so many values of another attribute."""

    type: Literal["array"]
    of: AnyAttribute = Field(description="The attribute that gives the elements.", examples=[{"type": "uuid"}])
    count: CountDistribution = Field(description="How many elements.", examples=[{"type": "poisson", "mean": 2}])

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        self._check_parts()
        if self.count.mean() > MAX_ELEMENTS:
            raise ValueError(f"lists of {self.count.mean():g} elements on average; at most {MAX_ELEMENTS} are possible")
        return self

    @property
    def parts(self) -> dict[str, Attribute]:
        """The attribute of the elements."""
        return {"of": self.of}

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """A list of what the other gives."""
        with at("of"):
            return pa.list_(plain(self.of.result_type(types)))

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One list for each row."""
        counts = self.count.draw(rng, len(rows))
        index = np.repeat(np.arange(len(rows)), counts)
        values = plain_array(self.of.make(Seeded(Repeated(rows, index), rng), "of"))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return Column.of(pa.ListArray.from_arrays(pa.array(offsets), values))


class Seeded(Wrapped):
    """Rows whose only random stream is the one given."""

    def __init__(self, rows: Rows, rng: np.random.Generator) -> None:
        super().__init__(rows)
        self._rng = rng

    def rng(self, name: str) -> np.random.Generator:
        """The one random stream."""
        return self._rng


class Repeated(Wrapped):
    """Rows of which each comes as often as its place is in an index."""

    def __init__(self, rows: Rows, index: Array) -> None:
        super().__init__(rows)
        self._index = index
        self.times = rows.times[index]
        self.ids = rows.ids[index]

    def column(self, name: str) -> Column:
        """The column, repeated."""
        return self._rows.column(name).take(self._index)

    def value_factor(self, attribute: str) -> Array | None:
        """The factors, repeated."""
        factor = self._rows.value_factor(attribute)
        return None if factor is None else factor[self._index]

    def curve(self, curve: CurveRef) -> Array:
        """The curve, repeated."""
        return self._rows.curve(curve)[self._index]

    def own(self, entity: str) -> tuple[Array, Array, Array]:
        """The children, repeated."""
        first, count, ids = self._rows.own(entity)
        return first[self._index], count[self._index], ids


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of values inside nested ones: text is not coded there."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_array(column: Column) -> pa.Array:
    """The values as they are inside nested ones."""
    array = column.to_arrow()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
