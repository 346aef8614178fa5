"""What is known of the columns of messages, of which more and more are seen."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sim.delivery.replay.clock import is_text

_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"
"""Instants as datagen writes them: such text is read as an instant, any other stays text."""


class Seen:
    """The types of columns so far, which of them are instants, and which could be the key of the messages."""

    def __init__(self) -> None:
        self.schema = pa.schema([])
        self.keyed = False
        self.largest: dict[str, int] = {}
        self._nulls: set[str] = set()
        self._texts: set[str] = set()
        self._keys: set[str] | None = None
        self._first = True

    @property
    def instants(self) -> set[str]:
        """Columns of text that were instants throughout."""
        return {column.name for column in self.schema if is_text(column.type)} - self._texts

    @property
    def key(self) -> str | None:
        """The first column whose values have been the keys of the messages, always."""
        return next((name for name in self.schema.names if name in (self._keys or ())), None)

    def id(self, name: str) -> str | None:
        """`name`, if that column holds whole numbers and is never null."""
        whole = name in self.schema.names and pa.types.is_integer(self.schema.field(name).type)
        return name if whole and name not in self._nulls else None

    def add(self, rows: pa.Table, keys: pl.Series) -> None:
        """Take note of messages and of their keys."""
        gone = set(self.schema.names) ^ set(rows.schema.names)
        self._nulls |= gone if not self._first else set()
        self.schema, self._first = _together(self.schema, rows.schema), False
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            self._note(name, column)
        if keys.null_count() < len(keys):
            self.keyed = True
            self._note_keys(rows, pa.chunked_array([keys.to_arrow()]))

    def _note(self, name: str, column: pa.ChunkedArray) -> None:
        if column.null_count:
            self._nulls.add(name)
        if pa.types.is_integer(column.type):
            ends = pc.min_max(column).as_py()
            self.largest[name] = max(self.largest.get(name, 0), abs(ends["min"] or 0), abs(ends["max"] or 0))
        elif is_text(column.type) and pc.all(pc.match_substring_regex(column, _INSTANT)).as_py() is not True:
            self._texts.add(name)

    def _note_keys(self, rows: pa.Table, keys: pa.ChunkedArray) -> None:
        names = rows.schema.names if self._keys is None else [n for n in rows.schema.names if n in self._keys]
        plain = (name for name in names if pa.types.is_integer(rows[name].type) or is_text(rows[name].type))
        self._keys = {name for name in plain if rows[name].cast(pa.large_string()).equals(keys.cast(pa.large_string()))}


def _together(known: pa.Schema, found: pa.Schema) -> pa.Schema:
    """Columns of both; where their types do not go together, what is not nested is text."""
    fields = {column.name: column for column in known}
    for column in found:
        before = fields.get(column.name)
        fields[column.name] = column if before is None else _either(before, column)
    return pa.schema(list(fields.values()))


def _either(first: pa.Field, second: pa.Field) -> pa.Field:
    try:
        both = pa.unify_schemas([pa.schema([first]), pa.schema([second])], promote_options="permissive")
        return both.field(0)
    except pa.ArrowException:
        return pa.field(first.name, pa.large_string())
