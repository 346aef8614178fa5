"""Facts by their keys: which came after later ones, and whether the ledger lets them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sim.delivery.audit.findings import Count
from sim.delivery.audit.heaps import COUNT, Heaps, by_hash

ROWS = {
    "id": pl.Int64,
    "place": pl.Int64,
    "sequence": pl.Int32,
    "key": pl.UInt64,
    "rank": pl.Int64,
    "true_time": pl.Int64,
    "arrival": pl.Int64,
}
"""What came, with its place in the order of the stream as it happened and the instant at which it should have come."""

_LATER = {name: ROWS[name] for name in ("id", "place", "sequence", "true_time")}


class Order:
    """What came of a stream, some of it at a time, in any order; `places` are how many facts came in all.

    A fact is out of order where one with the same key, file or partition that happened later came before it. Facts may
    come so where they would have if each had arrived when the ledger says. `bound` is how late facts may come, in
    microseconds, by the order of the whole sequence or, unless `whole`, by that of each key.
    """

    def __init__(self, folder: Path, places: int, bound: int | None, whole: bool) -> None:
        self.undone = 0
        """Facts that should be out of order and are not."""
        self.disorder, self.beyond = Count("out of order"), Count("beyond the bound")
        self._bound = bound
        self._by_key = Heaps(ROWS, folder, by_hash("key"))
        together = bound is not None and whole
        self._by_place = Heaps(_LATER, folder, pl.col("place") * COUNT // max(1, places)) if together else None

    def add(self, rows: pl.DataFrame) -> None:
        """Take some of what came, with the columns of `ROWS`."""
        self._by_key.add(rows)
        if self._by_place is not None:
            self._by_place.add(rows)

    def judge(self) -> None:
        """Find what is out of order, and forget what was added."""
        for heap in self._by_key.heaps(False):
            self._compare(heap.sort("place"))
        self._by_key.close()
        if self._by_place is not None:
            self._follow(self._by_place)
            self._by_place.close()

    def _compare(self, came: pl.DataFrame) -> None:
        own = ["sequence", "key"]
        behind = (pl.col("rank") < pl.col("rank").cum_max().over(own)).alias("behind")
        # As the faults put them in order: by arrival, then by when they happened, then by id.
        should = came.sort("arrival", "true_time", "id", maintain_order=True).select("place", behind.alias("should"))
        rows = came.with_columns(behind).join(should, on="place", how="left").sort("place")
        self.disorder.add(rows.filter("behind").select("id", "place", explained="should"))
        self.undone += int((rows["should"] & ~rows["behind"]).sum())
        if self._bound is not None and self._by_place is None:
            self._exceeding(came, pl.col("true_time").cum_max().over(own))

    def _follow(self, heaps: Heaps) -> None:
        """Compare each fact with the latest one before it, whatever its key, from one heap to the next."""
        latest = pl.DataFrame(schema={"sequence": pl.Int32, "latest": pl.Int64})
        for heap in heaps.heaps(False):
            rows = heap.sort("place").join(latest, on="sequence", how="left").sort("place")
            top = pl.max_horizontal(pl.col("true_time").cum_max().over("sequence"), "latest")
            self._exceeding(rows, top)
            ends = rows.group_by("sequence").agg(pl.max_horizontal(pl.col("true_time").max(), pl.col("latest").max()))
            ends = ends.rename({ends.columns[1]: "latest"})
            latest = pl.concat([latest, ends]).group_by("sequence").agg(pl.col("latest").max())

    def _exceeding(self, rows: pl.DataFrame, top: pl.Expr) -> None:
        late = rows.filter(top - pl.col("true_time") > self._bound).select("id", "place")
        self.beyond.add(late.with_columns(explained=pl.lit(False)))
