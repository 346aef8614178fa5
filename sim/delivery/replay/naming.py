"""Which columns of recorded rows are their time, their key and their id, and what stream that makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Stream
from sim.delivery.replay.clock import Clock, is_instant, is_text
from sim.delivery.replay.reading import NUMBER
from sim.errors import ParameterError


@dataclass(frozen=True, slots=True)
class Naming:
    """What is to be known of files that are not datagen's: the columns of time, key and id, and names of streams.

    `rekeyed` are further columns that hold ids or keys of entities, by any name.
    """

    time: str | None = None
    key: str | None = None
    id: str | None = None
    streams: tuple[str, ...] = ()
    rekeyed: tuple[str, ...] = ()


def unified(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """One schema for all; numbers become wide enough. Raises ParameterError with the first that does not go with it."""
    known: pa.Schema | None = None
    for place, schema in schemas:
        try:
            known = schema if known is None else pa.unify_schemas([known, schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise ParameterError(f"{place}: its columns do not go with those of other files: {error}") from None
    assert known is not None
    return known


def described(name: str, schema: pa.Schema, naming: Naming, place: str, rank: int) -> tuple[Stream, Clock]:
    """The stream of rows with these columns, and its clock: event time and a number in front, where they are missing.

    Raises ParameterError where a column that was named is not there, or is of no use for that.
    """
    clock = Clock.of(naming.time or _likely_clock(schema, place), schema, place)
    for column in filter(None, (naming.key, naming.id, *naming.rekeyed)):
        if column not in schema.names:
            raise ParameterError(f"{place}: there is no column {column!r} (it has {', '.join(schema.names)})")
    if naming.id and not pa.types.is_integer(schema.field(naming.id).type):
        raise ParameterError(f"{place}: {naming.id} is {schema.field(naming.id).type}; ids are whole numbers")
    id = naming.id or NUMBER
    fields = {column.name: _field(column, clock, id) for column in schema}
    front = [pa.field(TIME, TIME_TYPE)] + ([pa.field(NUMBER, pa.int64())] if id == NUMBER else [])
    fields.pop(TIME, None)
    fields.pop(NUMBER, None) if id == NUMBER else None
    return Stream(name, pa.schema([*front, *fields.values()]), id, naming.key or id, rank), clock


def _field(column: pa.Field, clock: Clock, id: str) -> pa.Field:
    kind = column.type
    if column.name == id:
        return pa.field(id, pa.int64())
    if column.name == clock.column:
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        return pa.field(column.name, TIME_TYPE if is_text(inner) else kind)
    return pa.field(column.name, kind)


def _likely_clock(schema: pa.Schema, place: str) -> str:
    if TIME in schema.names and is_instant(schema.field(TIME).type):
        return TIME
    found = [column.name for column in schema if pa.types.is_timestamp(column.type)]
    if len(found) == 1:
        return str(found[0])
    which = f"{', '.join(found)} are instants" if found else f"the columns are {', '.join(schema.names)}"
    raise ParameterError(f"{place}: which column says when a row happened? Give it as --time COLUMN ({which})")
