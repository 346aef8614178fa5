"""Everything that two data sets have in common, compared; and what only one of them has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from sim.quality.compare.behaviours import activity, correlations, times, transitions, volume
from sim.quality.compare.columns import column
from sim.quality.compare.difference import ALPHA, Comparison, Difference, graded, unlike
from sim.quality.compare.privacy import Closeness, closeness
from sim.quality.compare.samples import ROWS, Side, side
from sim.quality.dataset import Dataset
from sim.quality.kinds import told

Tell = Callable[[str], None]

_CORRELATED = 6


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome: graded differences, closeness of rows by stream, and the streams that both have."""

    comparison: Comparison
    closeness: tuple[Closeness, ...]
    streams: tuple[str, ...]


def compare(
    one: Dataset,
    other: Dataset,
    *,
    streams: tuple[str, ...] = (),
    seed: int = 0,
    rows: int = ROWS,
    alpha: float = ALPHA,
    tell: Tell = lambda line: None,
) -> Compared:
    """Compare two data sets, all streams or those named; `seed` chooses the samples, of about so many `rows`."""
    found: list[Difference] = []
    close: list[Closeness] = []
    common = [name for name in one.streams if name in other.streams and (not streams or name in streams)]
    if not streams:
        found += _streams(one, other)
    for stream in common:
        tell(f"{stream}: {one.rows(stream):,} and {other.rows(stream):,} rows")
        differences, own = _stream(stream, one, other, seed, rows)
        found += differences
        close += [own] if own is not None else []
    return Compared(graded(found, alpha), tuple(close), tuple(common))


def _streams(one: Dataset, other: Dataset) -> Iterator[Difference]:
    for name in (name for name in one.streams if name not in other.streams):
        yield unlike(name, "stream", name, f"{one.rows(name):,} facts", "is not there")
    for name in (name for name in other.streams if name not in one.streams):
        yield unlike(name, "stream", name, "is not there", f"{other.rows(name):,} facts")


def _stream(
    stream: str, one: Dataset, other: Dataset, seed: int, rows: int
) -> tuple[list[Difference], Closeness | None]:
    """All differences of one stream."""
    found = list(_schema(stream, one, other))
    a, b = one.schema(stream), other.schema(stream)
    names = [c.name for c in a if c.name in b.names and told(c.type) == told(b.field(c.name).type)]
    if not names or not one.rows(stream) or not other.rows(stream):
        return found, None
    sides = side(one, stream, names, seed, rows), side(other, stream, names, seed, rows)
    found += volume(stream, one, other, sides)
    joint = [name for name in sides[0].frame.columns if name in sides[1].frame.columns]
    for name in joint:
        found += column(stream, name, *sides)
    found += times(stream, *sides)
    found += activity(stream, *sides)
    found += transitions(stream, *sides)
    found += correlations(stream, _numbers(names, *sides), *sides)
    return found, closeness(stream, names, *sides, seed)


def _schema(stream: str, one: Dataset, other: Dataset) -> Iterator[Difference]:
    a, b = one.schema(stream), other.schema(stream)
    for name in (name for name in a.names if name not in b.names):
        yield unlike(stream, "column", f"{stream}.{name}", told(a.field(name).type), "is not there")
    for name in (name for name in b.names if name not in a.names):
        yield unlike(stream, "column", f"{stream}.{name}", "is not there", told(b.field(name).type))
    for name in (name for name in a.names if name in b.names):
        types = told(a.field(name).type), told(b.field(name).type)
        if types[0] != types[1]:
            yield unlike(stream, "type", f"{stream}.{name}", *types)


def _numbers(names: list[str], one: Side, other: Side) -> list[str]:
    """The first few columns of numbers that vary, ids left out."""
    found = []
    for name in names:
        pair = one.frame[name], other.frame[name]
        if name.endswith("_id") or name in (one.id, "id") or not all(values.dtype.is_numeric() for values in pair):
            continue
        if all(isinstance(values, pl.Series) and values.n_unique() > 2 for values in pair):
            found.append(name)
    return found[:_CORRELATED]
