"""The generator `lookup`: which other entity a row refers to, among those born by the row's time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.living import Living, among_living
from sim.attributes.matching import Matcher
from sim.attributes.popularity import Drawer, Tabled, drawer
from sim.attributes.rows import Reference, Rows
from sim.attributes.weights import Evenly, HeadTail, LookupWeights, Recent, Zipf
from sim.maths.model import Name


class Lookup(Attribute):
    """The id of another entity; its attributes can be read as `<name of this attribute>.<attribute>`.

    Whoever is looked up is born at or before the row's time, and in no terminal state then. Where there is nobody to
    choose from, the value is null.
    A kind that looks up its own kind gets an entity with a smaller id, so that references never form a circle.
    """

    type: Literal["lookup"]
    entity: Name = Field(description="Kind of the entities.", examples=["product"])
    weights: LookupWeights | None = Field(
        None, description="Who is chosen how often; all equally where left out.", examples=[{"type": "zipf"}]
    )
    of: Literal["own", "parent"] | None = Field(
        None, description="`own`: a child of the row's entity; `parent`: the ancestor of that kind.", examples=["own"]
    )
    match: dict[Name, str] = Field(
        {},
        max_length=8,
        description="Attribute of the other to attribute of the row: equal.",
        examples=[{"city": "city"}],
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.of is not None and (self.weights is not None or self.match):
            raise ValueError(f"'of: {self.of}' goes without 'weights' and 'match'")
        if self.match and isinstance(self.weights, Recent):
            raise ValueError("weights of type 'recent' do not go with 'match'; 'zipf' and 'head_tail' do")
        if self.value or self.curves:
            raise ValueError("a lookup gives ids, which 'value' and 'curves' cannot multiply")
        for place, modifier in enumerate(self.modifiers):
            if modifier.type != "null":
                raise ValueError(f"modifiers[{place}]: a lookup gives ids, which only 'null' can modify")
        return self

    def column_name(self, name: str) -> str:
        """The name with `_id` behind it, unless it is there already."""
        return name if name.endswith("_id") else f"{name}_id"

    def reads(self) -> frozenset[str]:
        """What the row is matched on; the ancestor's id for `of: parent`."""
        return frozenset([f"{self.entity}_id"] if self.of == "parent" else self.match.values())

    def looks_up(self) -> frozenset[str]:
        """The kind; for `of: parent` nothing, since the row knows its ancestors."""
        return frozenset() if self.of == "parent" else frozenset({self.entity})

    def reads_of(self, entity: str) -> frozenset[str]:
        """The attributes of the other that it is matched on, and what its weights need."""
        if entity != self.entity:
            return frozenset()
        return frozenset(self.match) | ({"born_at"} if isinstance(self.weights, Recent) else frozenset())

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """int64."""
        return pa.int64()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One id for each row."""
        if self.of == "parent":
            return rows.column(f"{self.entity}_id")
        if self.of == "own":
            return self._own(rows, rng)
        reference = rows.reference(self.entity)
        limit = self._limit(reference, rows)
        columns = [rows.column(name) for name in self.match.values()]
        drawer = self._drawer(rows)
        if reference.mortal:
            living = reference.living()
            return _ids(*among_living(living, limit, rows.times, self._drawing(rng, living, drawer, columns)))
        if self.match:
            return _ids(*self._matcher(reference, drawer).draw(rng, columns, limit))
        return _ids(drawer.draw(rng, limit), limit == 0)

    def _drawing(
        self, rng: np.random.Generator, living: Living, drawer: Drawer, columns: Sequence[Column]
    ) -> Callable[[Array, Array], tuple[Array, Array]]:
        """What draws for some of the rows, whose values to match stand in `columns`, among the living."""
        own = living.drawer(drawer, self._by_weight)

        def draw(which: Array, limit: Array) -> tuple[Array, Array]:
            if not columns:
                return own.draw(rng, limit), limit == 0
            return self._matcher(living, own).draw(rng, [column.take(which) for column in columns], limit)

        return draw

    def _own(self, rows: Rows, rng: np.random.Generator) -> Column:
        first, count, ids = rows.own(self.entity)
        place = first + (rng.random(len(rows)) * count).astype(np.int64)
        if not len(ids):
            return _ids(np.zeros(len(rows), np.int64), np.ones(len(rows), bool))
        return _ids(np.take(ids, np.minimum(place, len(ids) - 1)), count == 0)

    def _limit(self, reference: Reference, rows: Rows) -> Array:
        """int64[n]: how many entities, by id, each row can choose from."""
        if not len(rows):
            return np.zeros(0, np.int64)
        if rows.subject == self.entity:
            return np.minimum(reference.born(rows.times), rows.ids)
        ends = reference.born(np.array([rows.times.min(), rows.times.max()]))
        return np.full(len(rows), ends[0]) if ends[0] == ends[1] else reference.born(rows.times)

    @property
    def _by_weight(self) -> Zipf | HeadTail | Recent | None:
        return None if isinstance(self.weights, Evenly) else self.weights

    def _drawer(self, rows: Rows) -> Drawer:
        return drawer(self.entity, self._by_weight, rows)

    def _matcher(self, reference: Reference, drawer: Drawer) -> Matcher:
        names = tuple(self.match)
        key = f"matcher/{names}/{self._by_weight!r}"
        if key not in reference.cache:
            reference.cache[key] = Matcher(reference, names, drawer if isinstance(drawer, Tabled) else None)
        made: Matcher = reference.cache[key]
        return made


def _ids(ids: Array, missing: Array) -> Column:
    return Column(ids, pa.int64(), missing if missing.any() else None)
