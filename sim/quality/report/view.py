"""A data set as the report's sections see it: its streams as they read, its interval, its civil time, its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from sim.batch import TIME
from sim.errors import ParameterError
from sim.quality.dataset import Dataset
from sim.quality.declared import Declared
from sim.quality.report.reading import Reading, Role, readings
from sim.quality.tables import literal, quoted

SAMPLE = 200_000
"""Entities or cases that are followed one by one; of more, those are whose id falls into a part of all hash values."""

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Column:
    """The values of a column: how many are there, roughly how many different ones, the extremes, and one of them."""

    count: int
    distinct: int
    least: Any
    most: Any
    example: Any


@dataclass
class View:
    """What the sections of a report ask. `start` and `until` are UTC; `zone` is whose clocks tell hours and days."""

    data: Dataset
    declared: Declared | None = None
    zone: str = "UTC"
    _throughout: dict[str, bool] = field(default_factory=dict, repr=False)

    @cached_property
    def streams(self) -> dict[str, Reading]:
        """Every stream that has facts and a time."""
        found = readings({name: self.data.schema(name) for name in self.data.streams})
        return {name: each for name, each in found.items() if each.time is not None and self.data.rows(name)}

    @cached_property
    def all(self) -> dict[str, Reading]:
        """Every stream, also those without facts or without any column of times."""
        return readings({name: self.data.schema(name) for name in self.data.streams})

    @cached_property
    def interval(self) -> tuple[datetime, datetime]:
        """First instant, and the one that all facts are before."""
        manifest = self.data.manifest
        if manifest is not None:
            return _utc(manifest.start), _utc(manifest.until)
        spans = [
            self.frame(f"SELECT min({self.at(r)}) AS a, max({self.at(r)}) AS b FROM {table(r)}") for r in self.told
        ]
        if not spans:
            return datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
        both = pl.concat(spans)
        return both["a"].min(), both["b"].max()  # type: ignore[return-value]

    @property
    def told(self) -> list[Reading]:
        """Every stream with facts and a time."""
        return list(self.streams.values())

    @property
    def start(self) -> datetime:
        """First instant."""
        return self.interval[0]

    @property
    def began(self) -> datetime:
        """First instant, as clocks in `zone` show it."""
        return self.start.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def clocks(self, span: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
        """Two instants as clocks in `zone` show them."""
        begin, end = (moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None) for moment in span)
        return begin, end

    @property
    def until(self) -> datetime:
        """The facts are before it."""
        return self.interval[1]

    @property
    def days(self) -> float:
        """Length of the interval."""
        return max((self.until - self.start).total_seconds() / DAY, 1e-9)

    def of(self, *roles: Role) -> list[Reading]:
        """The streams in these roles, in their order."""
        return [reading for reading in self.told if reading.role in roles]

    def rows(self, reading: Reading) -> int:
        """The facts of a stream."""
        return self.data.rows(reading.name)

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """The result of a query, which is small. Raises ParameterError where the files cannot be read."""
        with _told(self.data.url):
            return pl.DataFrame(pl.from_arrow(self.data.db.sql(sql, params=list(parameters)).to_arrow_table()))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query's result. Raises ParameterError where the files cannot be read."""
        with _told(self.data.url):
            return self.data.query(sql)

    def at(self, reading: Reading, column: str | None = None) -> str:
        """SQL for a time of a stream as an instant; times without a zone are UTC."""
        name = column or reading.time or TIME
        kind = self.data.schema(reading.name).field(name).type
        aware = pa.types.is_timestamp(kind) and kind.tz is not None
        return quoted(name) if aware else f"({quoted(name)}::TIMESTAMP AT TIME ZONE 'UTC')"

    def civil(self, reading: Reading, column: str | None = None) -> str:
        """SQL for a time of a stream as clocks in `zone` show it."""
        return self.local(self.at(reading, column))

    def local(self, instant: str) -> str:
        """SQL for an instant as clocks in `zone` show it."""
        return f"(({instant}) AT TIME ZONE {literal(self.zone)})"

    def instant(self, moment: datetime) -> str:
        """SQL for a moment."""
        return f"TIMESTAMPTZ {literal(moment.isoformat())}"

    def described(self, stream: str) -> str:
        """What the scenario says of a stream."""
        streams = self.declared.model.streams if self.declared else ()
        return next((each.description for each in streams if each.name == stream), "")

    def column_described(self, stream: str, column: str) -> str:
        """What the scenario says of a column."""
        streams = self.declared.model.streams if self.declared else ()
        fields = [each.schema.field(column) for each in streams if each.name == stream and column in each.schema.names]
        return next(((field.metadata or {}).get(b"description", b"").decode() for field in fields), "")

    def segmentations(self, entity: str) -> list[str]:
        """The segmentations of a kind of entity, as declared."""
        populations = self.declared.model.populations if self.declared else ()
        return [
            each.name for population in populations if population.name == entity for each in population.segmentations
        ]

    def sampled(self, column: str, count: int) -> str:
        """SQL that is true for all of `count` things by their ids, or for one in so many where they are many."""
        return f"hash({quoted(column)}) % {count // SAMPLE} = 0" if count >= 2 * SAMPLE else "true"

    def note(self, count: int, things: str) -> str:
        """What a reader is to know about the sample."""
        return f" From one in {count // SAMPLE} of {count:,} {things}." if count >= 2 * SAMPLE else ""

    @cached_property
    def columns(self) -> Mapping[str, Mapping[str, Column]]:
        """What the values of every column of every stream are like."""
        return {name: self._summary(name) for name in self.data.streams}

    def distinct(self, stream: str, column: str) -> int:
        """Roughly how many values a column has."""
        return self.columns[stream][column].distinct

    def groups(self, reading: Reading, most: int = 8) -> list[str]:
        """The columns of text with few values, by which a stream can be divided."""
        few = [name for name in reading.texts if 2 <= self.distinct(reading.name, name) <= most]
        return [name for name in few if name not in ("state", "step")]

    def throughout(self, reading: Reading) -> bool:
        """Whether the value of a stream of steps belongs to cases: the same at every step of any of them."""
        if reading.role != "steps" or reading.case is None or reading.value is None:
            return False
        if reading.name not in self._throughout:
            case, value = quoted(reading.case), quoted(reading.value)
            each = f"SELECT min({value}) = max({value}) AND count({value}) = count(*) AS same FROM {table(reading)}"
            found = self.query(f"SELECT coalesce(bool_and(coalesce(same, false)), false) FROM ({each} GROUP BY {case})")
            self._throughout[reading.name] = bool(found[0][0])
        return self._throughout[reading.name]

    def _summary(self, name: str) -> dict[str, Column]:
        """One scan for all columns of a stream."""
        schema = self.data.schema(name)
        flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        asked = [_of(column, column in flat) for column in schema.names]
        row = self.query(f"SELECT {', '.join(asked)} FROM {quoted(name)}")[0]
        return {column: Column(*row[5 * n : 5 * n + 5]) for n, column in enumerate(schema.names)}


def _of(column: str, flat: bool) -> str:
    sql = quoted(column)
    rest = [f"approx_count_distinct({sql})", f"min({sql})", f"max({sql})"] if flat else ["0", "NULL", "NULL"]
    return ", ".join([f"count({sql})", *rest, f"any_value({sql})"])


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What the database says of files, in a line."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise ParameterError(f"{url}: {str(error).splitlines()[0]}") from None


def table(reading: Reading) -> str:
    """The view of a stream, as SQL names it."""
    return quoted(reading.name)


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant / 1e6, UTC)
