"""Rows as one attribute sees them: with its siblings, and with whom they look up, beside the context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Reference, Rows
from sim.attributes.sequential import Sequential
from sim.maths.curves import CurveRef


@dataclass(frozen=True, slots=True)
class Source:
    """Where a name comes from: a sibling attribute, an attribute of whom a sibling looks up, or the context.

    `name` is the sibling, `column` the name of the column there; where it is looked up, `entity` is the kind of whom
    and `ids` the sibling's own column.
    """

    kind: Literal["sibling", "lookup", "context"]
    name: str
    column: str
    entity: str = ""
    ids: str = ""


class Wrapped:
    """Rows that pass on everything to other rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.times: Array = rows.times
        self.ids: Array = rows.ids
        self.subject = rows.subject

    def __len__(self) -> int:
        return len(self.times)

    def rng(self, name: str) -> np.random.Generator:
        """The random stream of the other rows."""
        return self._rows.rng(name)

    def shared_rng(self, name: str) -> np.random.Generator:
        """The shared random stream of that name."""
        return self._rows.shared_rng(name)

    def column(self, name: str) -> Column:
        """The other rows' column."""
        return self._rows.column(name)

    def value_factor(self, attribute: str) -> Array | None:
        """The other rows' value multipliers."""
        return self._rows.value_factor(attribute)

    def curve(self, curve: CurveRef) -> Array:
        """The curve at the other rows' times."""
        return self._rows.curve(curve)

    def reference(self, entity: str) -> Reference:
        """The population called `entity`."""
        return self._rows.reference(entity)

    def own(self, entity: str) -> tuple[Array, Array, Array]:
        """The children of the other rows' entities."""
        return self._rows.own(entity)


class View(Wrapped):
    """Rows while their attributes are being made, one after the other."""

    def __init__(self, rows: Rows, sources: Mapping[str, Mapping[str, Source]], columns: dict[str, Column]) -> None:
        super().__init__(rows)
        self._sources = sources
        self._columns = columns
        self._fetched: dict[Source, Column] = {}
        self._reads: Mapping[str, Source] = {}

    def make(self, name: str, attribute: Attribute, column: str, drawn: Column | None = None) -> Column:
        """Make the attribute called `name`; others see it from now on under the name `column`.

        `drawn` are the numbers of a sequential attribute, or the draw of one that is correlated with others.
        """
        self._reads = self._sources[name]
        if isinstance(attribute, Sequential) and drawn is not None:
            drawn = attribute.shown(drawn, self)
        made = attribute.make(self, name, drawn)
        self._columns[column] = made
        return made

    def redo(self, name: str, column: str, change: Callable[[Rows, Column], Column]) -> Column:
        """Change `column`, which is made; the sources are those called `name`. Others see it changed from now on."""
        self._reads = self._sources[name]
        self._columns[column] = change(self, self._columns[column])
        return self._columns[column]

    def column(self, name: str) -> Column:
        """A column by a name that the attribute being made said it reads; raises KeyError for others."""
        source = self._reads.get(name)
        if source is None:
            return self._rows.column(name)
        if source.kind == "sibling":
            return self._columns[source.column]
        if source not in self._fetched:
            self._fetched[source] = self._fetch(source)
        return self._fetched[source]

    def _fetch(self, source: Source) -> Column:
        if source.kind == "context":
            return self._rows.column(source.column)
        ids = self._columns[source.ids]
        reference = self._rows.reference(source.entity)
        if ids.mask is None:
            return reference.column(source.column, ids.values, self.times)
        there = np.flatnonzero(~ids.mask)
        found = reference.column(source.column, ids.values[there], self.times[there])
        if not len(there):
            return Column.nulls(len(ids), found.type)
        place = np.zeros(len(ids), np.int64)
        place[there] = np.arange(len(there))
        return found.take(place).with_nulls(ids.mask)
