"""Rows of a few columns of numbers, in memory as long as they are few, and else on disk, in heaps.

A heap holds the rows that belong together by some rule, in the order in which they were added. Whoever needs rows that
match, such as those with the same id, finds them in heaps of the same number, and has to hold no more than those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.errors import SinkError

COUNT = 64
"""How many heaps there are: of 100 million rows each holds 1.6 million, some 70 MB."""

MOST = 2**18
"""Rows that are held in memory before they go to disk."""

_NUMPY: dict[type[pl.DataType] | pl.DataType, str] = {
    pl.Int64: "<i8",
    pl.UInt64: "<u8",
    pl.Int32: "<i4",
    pl.UInt8: "u1",
    pl.Boolean: "?",
}

Schema = Mapping[str, type[pl.DataType]]


def by_hash(column: str) -> pl.Expr:
    """The rule that puts equal values of a column into the same heap."""
    return pl.col(column).hash() % COUNT


class Heaps:
    """Rows with the columns of `schema`, none of them null; `rule` gives the heap of a row, a number below `COUNT`.

    `folder` is for the rows that do not stay in memory: each object makes a file of its own there. Where they are
    `distinct` equal rows count once. Raises SinkError where the disk has no room.
    """

    def __init__(self, schema: Schema, folder: Path, rule: pl.Expr, *, distinct: bool = False) -> None:
        self.schema = dict(schema)
        self.rows = 0
        self._folder = folder
        self._rule = rule
        self._distinct = distinct
        self._type = np.dtype([(name, _NUMPY[kind]) for name, kind in schema.items()])
        self._buffer: list[pl.DataFrame] = []
        self._held = 0
        self._path: Path | None = None
        self._edges: list[NDArray[np.int64]] = []
        """For each time that rows went to disk, where the heaps begin and end in the file, in rows."""

    @property
    def spilled(self) -> bool:
        """Whether there are rows on disk."""
        return self._path is not None

    def add(self, rows: pl.DataFrame) -> None:
        """Keep some rows."""
        self._buffer.append(rows.select(pl.col(name).cast(kind) for name, kind in self.schema.items()))
        self.rows += len(rows)
        self._held += len(rows)
        if self._held < MOST:
            return
        if self._distinct:
            self._buffer = [self._memory()]
            self._held = len(self._buffer[0])
        if self._held >= MOST // 2:
            self._spill()

    def heaps(self, split: bool) -> Iterator[pl.DataFrame]:
        """All rows: heap by heap if they are to be `split`, else, where none is on disk, as one heap."""
        if not split and not self.spilled:
            yield self._memory()
            return
        self._spill()
        for number in range(COUNT):
            yield self._made(self._read(number))

    def close(self) -> None:
        """Forget everything."""
        self._buffer = []
        self._edges = []
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _memory(self) -> pl.DataFrame:
        return self._made(pl.concat([pl.DataFrame(schema=self.schema), *self._buffer]))

    def _made(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.unique() if self._distinct else rows

    def _spill(self) -> None:
        rows = self._memory()
        self._buffer, self._held = [], 0
        heap = rows.select(self._rule.cast(pl.UInt8)).to_series().to_numpy()
        order = np.argsort(heap, kind="stable")
        records = np.empty(len(rows), self._type)
        for name in self.schema:
            records[name] = rows[name].to_numpy()[order]
        start = self._edges[-1][-1] if self._edges else 0
        self._edges.append(start + np.concatenate([[0], np.cumsum(np.bincount(heap, minlength=COUNT))]))
        self._path = self._path or self._folder / f"{id(self):x}.heaps"
        try:
            with self._path.open("ab") as file:
                records.tofile(file)
        except OSError as error:
            text = f"{self._folder}: {error.strerror or error}; TMPDIR names another folder for what is compared"
            raise SinkError(text) from None

    def _read(self, number: int) -> pl.DataFrame:
        assert self._path is not None
        size, parts = self._type.itemsize, []
        with self._path.open("rb") as file:
            for edges in self._edges:
                first, last = int(edges[number]), int(edges[number + 1])
                file.seek(first * size)
                parts.append(np.fromfile(file, self._type, last - first))
        whole = np.concatenate(parts)
        return pl.DataFrame({name: np.ascontiguousarray(whole[name]) for name in self.schema}, schema=self.schema)
