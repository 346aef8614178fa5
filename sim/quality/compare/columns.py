"""Single columns side by side: nulls, then values by their kind; lists and structs are opened first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sim.quality.compare.clustered import Codes
from sim.quality.compare.difference import Difference
from sim.quality.compare.samples import Side
from sim.quality.compare.texts import texts
from sim.quality.compare.values import Ties, categories, days_of, numbers, shares_of_nulls

FEW = 30
"""Whole numbers with at most so many values are categories, and so are texts with at most `MANY`."""
MANY = 200
ELEMENTS = 200_000
"""Elements of lists that are looked at: of whole rows, evenly chosen."""


@dataclass(frozen=True, slots=True)
class Part:
    """Values of one sample without nulls: those of a column, of a field, or of the elements of lists.

    `at` are the times of the facts that the values are of, in microseconds; `ties` what the values have in common.
    """

    values: pl.Series
    at: Codes | None
    ties: Ties

    def where(self, rows: Codes, values: pl.Series) -> Part:
        """Other values at these places; a place may come several times."""
        at = None if self.at is None else self.at[rows]
        return Part(values, at, self.ties.where(rows))


def column(stream: str, name: str, one: Side, other: Side) -> Iterator[Difference]:
    """All that is compared of a column that both samples have."""
    sides = (one, other)
    if not all(len(side.frame) for side in sides) or name in (one.id, one.time):
        return
    a, b = _part(one, name), _part(other, name)
    if name in one.ways or name.endswith("_id"):
        yield from _nulls(stream, f"{stream}.{name}", a, b)
    else:
        yield from _opened(stream, f"{stream}.{name}", a, b)


def _part(side: Side, name: str) -> Part:
    at = None if side.time is None else side.frame[side.time]
    days = None if at is None else days_of(at)
    times = None if at is None else np.asarray(at.cast(pl.Int64).fill_null(0).to_numpy(), dtype=np.int64)
    return Part(side.frame[name], times, Ties(side.clusters(name), days))


def _opened(stream: str, subject: str, one: Part, other: Part) -> Iterator[Difference]:
    """Nulls, then what is not null: fields of structs and elements of lists one by one, values by their kind."""
    yield from _nulls(stream, subject, one, other)
    a, b = _known(one), _known(other)
    if not len(a.values) or not len(b.values):
        return
    if isinstance(a.values.dtype, pl.Struct):
        for field in a.values.struct.fields:
            yield from _opened(stream, f"{subject}.{field}", *(_field(part, field) for part in (a, b)))
    elif isinstance(a.values.dtype, pl.List):
        lengths = [part.values.list.len().cast(pl.Int64) for part in (a, b)]
        yield from _plain(stream, subject, a, b, lengths, "lengths")
        yield from _opened(stream, f"{subject}[]", *(_elements(part) for part in (a, b)))
    else:
        yield from _plain(stream, subject, a, b, [_readable(part) for part in (a, b)])


def _nulls(stream: str, subject: str, one: Part, other: Part) -> Iterator[Difference]:
    empty = [part.values.is_null().to_numpy().astype(np.int64) for part in (one, other)]
    if any(own.any() for own in empty):
        yield from shares_of_nulls(stream, subject, empty, (one.ties, other.ties))


def _plain(
    stream: str, subject: str, a: Part, b: Part, values: Sequence[pl.Series], name: str | None = None
) -> Iterator[Difference]:
    """What is compared of values of one kind."""
    x, y = values
    both = pl.concat([x.to_frame("v"), y.to_frame("v")], how="vertical_relaxed")["v"]
    ties, distinct = (a.ties, b.ties), both.n_unique()
    if both.dtype == pl.String and distinct > MANY:
        yield from texts(stream, subject, x, y, ties)
    elif both.dtype in (pl.String, pl.Boolean) or (both.dtype.is_integer() and distinct <= FEW):
        yield from categories(stream, subject, x, y, ties, name or "shares")
    elif both.dtype.is_numeric():
        yield from numbers(stream, subject, x, y, ties, name or "distribution")


def _known(part: Part) -> Part:
    """The part without nulls, and without numbers that are not finite."""
    values = part.values
    there = (
        values.is_not_null() & values.is_finite().fill_null(False) if values.dtype.is_float() else values.is_not_null()
    )
    rows = np.flatnonzero(there.to_numpy())
    return part if len(rows) == len(values) else part.where(rows, values.gather(rows))


def _field(part: Part, field: str) -> Part:
    return Part(part.values.struct.field(field), part.at, part.ties)


def _elements(part: Part) -> Part:
    """The elements of lists; those of one list belong together, besides all that the rows have in common."""
    lengths = np.asarray(part.values.list.len().to_numpy(), dtype=np.int64)
    every = max(-(-int(lengths.sum()) // ELEMENTS), 1)
    rows = np.arange(0, len(lengths), every)
    rows = rows[lengths[rows] > 0]
    values = part.values.gather(rows).explode()
    opened = part.where(np.repeat(rows, lengths[rows]), values)
    return Part(values, opened.at, opened.ties.more(np.repeat(np.arange(len(rows)), lengths[rows])))


def _readable(part: Part) -> pl.Series:
    """What can be compared: instants as hours before the fact, spans as seconds, binary values as their sizes."""
    values = part.values
    if isinstance(values.dtype, pl.Datetime) and part.at is not None:
        return pl.Series((part.at - values.dt.epoch("us").to_numpy()) / 3.6e9)
    if isinstance(values.dtype, pl.Duration):
        return values.dt.total_microseconds() / 1e6
    if values.dtype == pl.Time:
        return values.cast(pl.Int64) / 1e9
    if values.dtype == pl.Binary:
        return values.bin.size().cast(pl.Int64)
    return values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum) else values
