"""What is kept of the facts of a stream in order to compare them, and their aggregates by window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sim.batch import Stream
from sim.delivery.audit.heaps import Heaps, by_hash
from sim.delivery.latency import Latencies
from sim.delivery.tallies import summed

TRUE = {"id": pl.Int64, "time": pl.Int64, "key": pl.UInt64, "digest": pl.UInt64, "place": pl.Int64}
SEEN = {
    "id": pl.Int64,
    "time": pl.Int64,
    "digest": pl.UInt64,
    "sequence": pl.Int32,
    "large": pl.Boolean,
    "place": pl.Int64,
}
INJECTED = {"id": pl.Int64, "kind": pl.UInt8, "at": pl.Int64}

_TOGETHER = 64
"""Counts of chunks that are added up at once."""


def injections(folder: Path) -> Heaps:
    """Room for the ledger's injections into one stream: the fact, the number of the kind, when it arrived."""
    return Heaps(INJECTED, folder, by_hash("id"))


class Gathered:
    """The facts of one stream, as they happened (`true`) or as they came, in their order, and their aggregates.

    Windows are `span` microseconds long; `folder` takes what there is no room for in memory.
    """

    def __init__(self, stream: Stream, span: int, folder: Path, *, true: bool = False) -> None:
        self.rows = Heaps(TRUE if true else SEEN, folder, by_hash("id"))
        self.windows = Windows(stream, span, folder)
        self.unreadable = 0
        self.latencies = Latencies()

    def add(self, rows: pl.DataFrame, numbers: Mapping[str, pl.Series]) -> None:
        """Keep some facts: `id`, `time` (int64 microseconds), `key` (text), `digest`, and of those that came
        `sequence` and `large`. `numbers` are the columns of the windows' `sums`.
        """
        if not len(rows):
            return
        # Keys are needed for being told apart only, and a number takes less room than a text.
        hashed = pl.col("key").hash()
        self.windows.count(rows["time"], rows.select(pl.when(pl.col("key").is_not_null()).then(hashed))["key"], numbers)
        places = pl.int_range(self.rows.rows, self.rows.rows + len(rows), dtype=pl.Int64)
        self.rows.add(rows.with_columns(hashed, place=places))

    def close(self) -> None:
        """Forget everything."""
        self.rows.close()
        self.windows.close()


class Windows:
    """Counts of facts, sums of columns and numbers of different keys by window; `sums` names the columns."""

    def __init__(self, stream: Stream, span: int, folder: Path) -> None:
        self.sums = [field.name for field in stream.schema if summed(field, stream)]
        self._span = span
        self._counts: list[pl.DataFrame] = []
        self._keys = Heaps({"first": pl.Int64, "key": pl.UInt64}, folder, by_hash("key"), distinct=True)

    def count(self, times: pl.Series, keys: pl.Series, numbers: Mapping[str, pl.Series]) -> None:
        """Count facts with these event times (int64 microseconds) and keys (hashes, or null)."""
        first = (times // self._span * self._span).alias("first")
        frame = pl.DataFrame({"first": first, "key": keys, **numbers})
        counts = frame.group_by("first").agg(pl.len().cast(pl.Int64).alias("facts"), pl.col(self.sums).sum())
        self._counts.append(counts)
        if len(self._counts) >= _TOGETHER:
            self._counts = [self._added()]
        self._keys.add(frame.select("first", "key").drop_nulls().unique())

    def frame(self) -> pl.DataFrame:
        """`first` (the beginning), `facts`, the sums and `keys`, one row a window, in order."""
        if not self._counts:
            return pl.DataFrame(schema={"first": pl.Int64})
        each = [heap.group_by("first").agg(pl.len().cast(pl.Int64).alias("keys")) for heap in self._keys.heaps(False)]
        keys = pl.concat(each).group_by("first").agg(pl.col("keys").sum())
        return self._added().join(keys, on="first", how="left").sort("first")

    def close(self) -> None:
        """Forget the keys."""
        self._keys.close()

    def _added(self) -> pl.DataFrame:
        return pl.concat(self._counts).group_by("first").agg(pl.col("facts", *self.sums).sum())
