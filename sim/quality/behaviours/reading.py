"""Reading columns of a data set as NumPy arrays: instants as microseconds, names as codes, entities as a sample.

Where there are more entities than `MOST` the measurements take those whose hash is below a threshold, with everything
that belongs to them: a simple random sample, the same for every stream and on every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import duckdb

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST = 20_000
"""Entities of one kind that are looked at."""

_PARTS = 1_000_000


class Facts(Protocol):
    """What is asked of a data set: a connection with one view a stream, and the names of the streams."""

    @property
    def db(self) -> duckdb.DuckDBPyConnection:
        """The connection."""
        ...

    @property
    def streams(self) -> Iterable[str]:
        """The streams that are there."""
        ...


class NotMeasurable(Exception):
    """Raised where the data set or the scenario does not allow a measurement; its text says why."""


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def instant(column: str) -> str:
    """SQL of a column of times, as microseconds."""
    return f"epoch_us({quoted(column)})"


def code(column: str, names: Sequence[str]) -> str:
    """SQL of a column of names, as their places in `names`; -1 for others."""
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"coalesce(list_position([{listed}], {quoted(column)}::VARCHAR) - 1, -1)"


def chosen(column: str, share: float) -> str:
    """SQL of a condition that holds for a share of the values of a column of ids; always the same ones."""
    if share >= 1:
        return "true"
    return f"hash({quoted(column)}::BIGINT) % {_PARTS} < {int(share * _PARTS)}"


def sums(place: Indices, values: Floats, size: int) -> Floats:
    """Sums of `values` by place, float64[size]."""
    return np.bincount(place, values, size).astype(np.float64)


def require(facts: Facts, stream: str) -> None:
    """Raise NotMeasurable where the data set lacks a stream."""
    if stream not in facts.streams:
        raise NotMeasurable(f"the stream {stream!r} is not there")


def columns(facts: Facts, sql: str) -> list[NDArray[np.int64]]:
    """The columns of a query that gives whole numbers, int64[n] each."""
    found = facts.db.execute(sql).fetchnumpy()
    return [np.ma.getdata(column).astype(np.int64, copy=False) for column in found.values()]


def floats(facts: Facts, sql: str) -> list[Floats]:
    """The columns of a query that gives numbers, float64[n] each."""
    found = facts.db.execute(sql).fetchnumpy()
    return [np.ma.getdata(column).astype(np.float64, copy=False) for column in found.values()]


def count(facts: Facts, stream: str) -> int:
    """How many facts a stream has."""
    ((found,),) = facts.db.execute(f"SELECT count(*) FROM {quoted(stream)}").fetchall()
    return int(found)
