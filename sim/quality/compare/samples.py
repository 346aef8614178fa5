"""The rows of a stream that are compared: of both data sets, whole entities, chosen by a hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sim.quality.dataset import Dataset
from sim.quality.kinds import is_text
from sim.quality.tables import quoted

Codes = NDArray[np.int64]

ROWS = 50_000
"""Rows of a stream that are taken from each data set, about."""

TIME = "event_time"
_PARTS = 1_000_000
_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Side:
    """One data set's rows of a stream; `rows` are all of them, `frame` those of the sample.

    `ways` are columns of the frame that say which rows belong together; `time` is that of the facts, if there is one.
    """

    rows: int
    frame: pl.DataFrame
    key: str | None
    id: str | None
    time: str | None
    ways: tuple[str, ...]

    def clusters(self, own: str | None = None, without: Sequence[str] = (), where: Codes | None = None) -> list[Codes]:
        """Codes of the clusters in each of the ways, int64[n], without the column that is looked at itself."""
        ways = sorted((way for way in self.ways if way not in (own, *without)), key=lambda way: way != self.key)
        found = [codes_of(self.frame[way]) for way in ways]
        return found if where is None else [codes_of(pl.Series(codes[where])) for codes in found]


def codes_of(values: pl.Series) -> Codes:
    """Numbers from 0 for equal values; null is a value."""
    return np.asarray(values.rank("dense").fill_null(0).to_numpy() - int(values.null_count() == 0), dtype=np.int64)


def keys(dataset: Dataset, stream: str) -> tuple[str | None, str | None, str | None]:
    """The columns of the entity, of the row's own id and of its time: as the manifest says, or by their names."""
    schema = dataset.schema(stream)
    times = [column.name for column in schema if pa.types.is_timestamp(column.type)]
    time = TIME if TIME in times else times[0] if times else None
    note = dataset.manifest.streams.get(stream) if dataset.manifest else None
    if note is not None:
        return (note.key if note.key in schema.names else None), note.id, time
    named = [name for name in schema.names if name == "id" or name.endswith("_id")]
    own = next((name for name in named if name in ("id", f"{stream}_id")), None)
    return next((name for name in named if name != own), own), own, time


def side(dataset: Dataset, stream: str, columns: Sequence[str], seed: int, rows: int = ROWS) -> Side:
    """The sample of one data set: entities whose hash with `seed` is low, with all their facts."""
    key, own, time = keys(dataset, stream)
    total = dataset.rows(stream)
    where = ""
    if total > rows:
        by = key or own
        place = f"t.{quoted(by)}" if by else "t"
        where = f"WHERE hash({place}, {seed}) % {_PARTS} < {max(round(_PARTS * rows / total), 1)}"
    joins, names = [], [f"t.{quoted(name)}" for name in columns]
    for kind, on, added in _joined(dataset, stream, key):
        firsts = ", ".join(f"any_value({quoted(name)}) AS {quoted(name)}" for name in added)
        table = f"(SELECT {quoted(on)}, {firsts} FROM {quoted(kind)} GROUP BY {quoted(on)})"
        joins.append(f"LEFT JOIN {table} AS {quoted(kind)} ON t.{quoted(on)} = {quoted(kind)}.{quoted(on)}")
        names += [f"{quoted(kind)}.{quoted(name)} AS {quoted(f'{kind}.{name}')}" for name in added]
    order = f"ORDER BY t.{quoted(own)}" if own else ""
    sql = f"SELECT {', '.join(names)} FROM {quoted(stream)} AS t {' '.join(joins)} {where} {order}"
    frame = _finite(_utc(pl.DataFrame(pl.from_arrow(dataset.arrow(sql)))))
    key, own, time = (name if name in frame.columns else None for name in (key, own, time))
    return Side(total, frame, key, own, time, _ways(frame, own))


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as they can be compared: what is not finite is null, decimals are floats."""
    frame = frame.with_columns(pl.col(pl.Decimal).cast(pl.Float64))
    floats = pl.col(pl.Float32, pl.Float64)
    return frame.with_columns(pl.when(floats.is_finite()).then(floats))


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    """All instants as microseconds UTC without a zone, dates as their midnights."""
    aware = [
        pl.col(name).dt.convert_time_zone("UTC")
        for name, kind in frame.schema.items()
        if getattr(kind, "time_zone", None)
    ]
    frame = frame.with_columns(aware).with_columns(own.dt.replace_time_zone(None) for own in aware)
    return frame.with_columns(pl.col(pl.Datetime, pl.Date).cast(pl.Datetime("us")))


def _ways(frame: pl.DataFrame, own: str | None) -> tuple[str, ...]:
    """The columns that name something several rows have in common: ids."""
    named = [name for name in frame.columns if (name == "id" or name.endswith("_id")) and name != own]
    return tuple(name for name in named if frame[name].n_unique() < 0.95 * max(len(frame), 1))


def _joined(dataset: Dataset, stream: str, key: str | None) -> list[tuple[str, str, list[str]]]:
    """What is known of the things that a row names: kind, the id by which it is found, and columns.

    Of all of them the ids of further things, because rows about one of these resemble each other; of the entity that a
    fact is of also its categories.
    """
    present = set(dataset.schema(stream).names)
    found = []
    for on in (name for name in dataset.schema(stream).names if name.endswith("_id")):
        kind = on[:-3]
        if kind == stream or kind not in dataset.streams or on not in dataset.schema(kind).names:
            continue
        there = [name for name in dataset.schema(kind).names if name not in present]
        added = [name for name in there if name.endswith("_id")]
        if on == key:
            added += _categories(dataset, kind, there)
        if added:
            found.append((kind, on, added))
    return found


def _categories(dataset: Dataset, kind: str, names: Sequence[str]) -> list[str]:
    """Those of the columns that are texts with a few values."""
    texts = [name for name in names if is_text(dataset.schema(kind).field(name).type)]
    if not texts:
        return []
    asked = ", ".join(f"approx_count_distinct({quoted(name)})" for name in texts)
    counts = dataset.query(f"SELECT {asked} FROM {quoted(kind)}")[0]
    return [name for name, count in zip(texts, counts, strict=True) if 1 < count <= _CLASSES]
