"""What is checked: a data set, the scenario it is held against, and what is known of each of its streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from sim.attributes.table import AttributeTable
from sim.batch import TIME, Stream
from sim.model.model import Follower, Model, Population, Values
from sim.quality.dataset import Dataset
from sim.quality.declared import Declared
from sim.quality.kinds import is_text, plain, told, told_text
from sim.quality.tables import quoted

FAULTLESS = "-faultless"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Attributes of a stream: their declarations, the value factors in effect, and which rows are drawn one by one.

    `rows` is an SQL condition under which rows hold independent draws.
    """

    table: AttributeTable
    values: Values
    rows: str = "true"


@dataclass(frozen=True)
class Subject:
    """A stream of the data set: which columns are its id and its key, and of what types its columns should be.

    `types` are declared, as `kinds.told` has them; empty where nothing is declared.
    """

    name: str
    id: str | None
    key: str | None
    types: Mapping[str, str]
    found: pa.Schema
    rows: int
    parts: tuple[pa.Schema, ...] = ()
    faulty: bool = False

    @cached_property
    def sound(self) -> frozenset[str]:
        """The columns that are there, in all files, with the type that they should have."""
        if not self.types:
            return frozenset(self.found.names)
        everywhere = (self.found, *self.parts)
        return frozenset(
            name for name in self.found.names if all(name in s.names and self.fits(name, s) for s in everywhere)
        )

    def fits(self, column: str, schema: pa.Schema) -> bool:
        """Whether a column of a file has its declared type; what is nested may be text, as it is in CSV."""
        kind = schema.field(column).type
        declared = self.types.get(column, "")
        nested = declared.startswith(("list<", "struct<", "large_list<", "fixed_size_list<"))
        return declared in ("", told(kind)) or (nested and (is_text(kind) or pa.types.is_nested(kind)))

    def has(self, *columns: str | None) -> bool:
        """Whether all these columns can be looked at."""
        return all(column in self.sound for column in columns)

    @property
    def timed(self) -> bool:
        """Whether its rows have an event time."""
        return TIME in self.sound and pa.types.is_timestamp(plain(self.found.field(TIME).type))


@dataclass(frozen=True)
class Scope:
    """A data set under examination; `tell` takes lines about what is being done."""

    dataset: Dataset
    declared: Declared | None = None
    tell: Callable[[str], None] = field(default=lambda line: None)

    @property
    def model(self) -> Model | None:
        """The model that the facts are held against, if any."""
        return self.declared.model if self.declared else None

    @property
    def interval(self) -> tuple[int, int] | None:
        """First instant and end of the run, in microseconds, where they are known."""
        manifest = self.dataset.manifest
        if manifest is not None:
            return manifest.start, manifest.until
        return None if self.model is None else (self.model.start, self.model.end)

    @cached_property
    def subjects(self) -> Mapping[str, Subject]:
        """The streams by name."""
        return {name: self._subject(name) for name in self.dataset.streams}

    @cached_property
    def populations(self) -> Mapping[str, Population | None]:
        """The streams of births, by their names; without a model those that look like it."""
        if self.model is not None:
            own = {population.stream.name: population for population in self.model.populations if population.stream}
            return {name: population for name, population in own.items() if name in self.subjects}
        births = (s for s in self.subjects.values() if s.has("born_at", s.id) and s.id == f"{s.name}_id")
        return dict.fromkeys(subject.name for subject in births)

    @cached_property
    def sheets(self) -> Mapping[str, tuple[Sheet, ...]]:
        """The declared attributes of each stream of the data set."""
        found = dict(_sheets(self.model)) if self.model is not None else {}
        return {name: sheets for name, sheets in found.items() if name in self.subjects}

    def _subject(self, name: str) -> Subject:
        found, rows = self.dataset.schema(name), self.dataset.rows(name)
        parts = tuple(part.schema for part in self.dataset.tables[name].parts)
        if (stream := self._stream(name)) is not None:
            types = {column.name: told(column.type) for column in stream.schema}
            return Subject(name, stream.id, stream.key, types, found, rows, parts, self._faulty(name))
        manifest = self.dataset.manifest
        if manifest is not None and name in manifest.streams:
            note = manifest.streams[name]
            types = {column: told_text(text) for column, text in note.schema.items()}
            return Subject(name, note.id, note.key, types, found, rows, parts)
        own = f"{name}_id"
        return Subject(name, own if own in found.names else None, None, {}, found, rows, parts)

    def _stream(self, name: str) -> Stream | None:
        return next((s for s in self.model.streams if s.name == name), None) if self.model is not None else None

    def _faulty(self, name: str) -> bool:
        manifest = self.dataset.manifest
        injected = manifest is None or not manifest.digest.endswith(FAULTLESS)
        return injected and self.model is not None and name in self.model.faults


def _sheets(model: Model) -> Iterator[tuple[str, tuple[Sheet, ...]]]:
    for population in model.populations:
        if population.stream is not None:
            yield population.stream.name, (Sheet(population.table, population.values),)
    for activity in model.activities:
        yield activity.stream.name, (Sheet(activity.table, activity.values),)
        yield from _children(activity.children)
    yield from _children(model.followers)
    for flow in model.flows:
        once = Sheet(flow.table, flow.values, "step_index = 0")
        yield flow.stream.name, (once, Sheet(flow.each, flow.values))


def _children(followers: tuple[Follower, ...]) -> Iterator[tuple[str, tuple[Sheet, ...]]]:
    for follower in followers:
        yield follower.stream.name, (Sheet(follower.table, follower.values),)
        yield from _children(follower.children)


def column(name: str) -> str:
    """A column as SQL has it."""
    return quoted(name)
