"""Facts by their ids: some of those that happened, all of those that came with the same ids, and their injections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from sim.delivery.audit.findings import BROKEN, CAUSES, LARGE, blamed, numbers
from sim.delivery.faults import DROP, DUPLICATE, HOT, LATE, MISSING, SKEW, STALL


@dataclass(frozen=True)
class Part:
    """Frames of `TRUE`, `SEEN` and `INJECTED`; `forgiven` are the kinds of faults that explain a difference, and facts
    from `settled` on may still be on their way.
    """

    truth: pl.DataFrame
    seen: pl.DataFrame
    injections: pl.DataFrame
    forgiven: frozenset[str]
    settled: int | None = None

    @cached_property
    def known(self) -> pl.DataFrame:
        """What came and happened: the columns of `SEEN`, `key`, `rank` (its place among what happened), the true time
        and digest, and `copy`, which counts what came with the same id from 0 on.
        """
        truth = self.truth.rename({"place": "rank", "time": "true_time", "digest": "true_digest"})
        known = self.seen.join(truth, on="id", how="inner").sort("place")
        # Few came more than once, and counting costs twenty times as much as finding those.
        several = known.filter(pl.col("id").is_duplicated())
        copies = several.select("place", copy=pl.int_range(pl.len()).over("id"))
        joined = known.join(copies, on="place", how="left", maintain_order="left")
        return joined.with_columns(pl.col("copy").fill_null(0))

    @cached_property
    def differences(self) -> dict[str, pl.DataFrame]:
        """By kind, one row for each difference: `id`, `place`, `explained`, and the instants `time` and `true_time`
        into whose windows it falls.
        """
        once = pl.col("id").is_first_distinct()
        known = self.known
        return {
            "lost": self._judged("lost", self._lost()),
            "unknown": self._judged("unknown", self._unknown()),
            "duplicated": self._judged("duplicated", known.filter(pl.col("copy") > 0)),
            "changed": self._judged("changed", known.filter(pl.col("digest") != pl.col("true_digest")).filter(once)),
            "oversize": self._judged("oversize", known.filter(pl.col("large")).filter(once)),
        }

    @cached_property
    def broken(self) -> int:
        """Facts whose messages were broken and that are lost: as many unreadable messages are explained."""
        return int(self._blamed(frozenset({BROKEN}) & self.forgiven).is_in(self._ids("lost")).sum())

    @property
    def undone(self) -> int:
        """Injections that should be seen in what came, and are not."""
        came = self._blamed(frozenset({SKEW, HOT, MISSING}))
        came = came.filter(came.is_in(self.seen["id"].implode()))
        broken = self._blamed(frozenset({BROKEN}))
        # Those that came and say something else were broken, too.
        broken = broken.filter(~broken.is_in(self._ids("changed")))
        wanted = (
            ("lost", self._blamed(frozenset({DROP}))),
            ("lost", broken),
            ("duplicated", self._blamed(frozenset({DUPLICATE}))),
            ("changed", came),
            ("oversize", self._blamed(frozenset({LARGE}))),
        )
        return sum(int((~injected.is_in(self._ids(kind))).sum()) for kind, injected in wanted)

    @property
    def arrivals(self) -> pl.DataFrame:
        """What came and happened, with the instant at which the ledger says that it did (`arrival`): else, and where
        being late is not forgiven, when it happened.
        """
        first = pl.col("true_time") if LATE not in self.forgiven else pl.coalesce("late", "true_time")
        again = first if DUPLICATE not in self.forgiven else pl.coalesce("again", first)
        late, copies = self._times({LATE, STALL}, "late"), self._times({DUPLICATE}, "again")
        joined = self.known.join(late, on="id", how="left").join(copies, on="id", how="left")
        return joined.with_columns(arrival=pl.when(pl.col("copy") > 0).then(again).otherwise(first))

    def touched(self, span: int) -> Iterator[pl.Series]:
        """The beginnings of the windows, `span` microseconds long, whose aggregates explained differences change."""
        for kind in ("lost", "duplicated", "changed"):
            excused = self.differences[kind].filter("explained")
            yield pl.concat([excused["time"], excused["true_time"].alias("time")]).drop_nulls() // span * span

    def _judged(self, kind: str, rows: pl.DataFrame) -> pl.DataFrame:
        explained = pl.col("id").is_in(self._blamed(CAUSES[kind] & self.forgiven).implode())
        if kind == "duplicated":  # the ledger explains one copy of a fact, not two
            explained &= pl.col("copy") == 1
        return rows.select("id", "place", "time", "true_time", explained.alias("explained"))

    def _lost(self) -> pl.DataFrame:
        lost = self.truth.join(self.seen, on="id", how="anti")
        if self.settled is not None:
            lost = lost.filter(pl.col("time") < self.settled)
        return lost.with_columns(true_time="time")

    def _unknown(self) -> pl.DataFrame:
        return self.seen.join(self.truth, on="id", how="anti").with_columns(true_time="time")

    def _times(self, kinds: set[str], name: str) -> pl.DataFrame:
        hit = self.injections.filter(pl.col("kind").is_in(numbers(kinds)))
        return hit.group_by("id").agg(pl.col("at").max().alias(name))

    def _ids(self, kind: str) -> pl.Series:
        return self.differences[kind]["id"].implode()

    def _blamed(self, kinds: frozenset[str]) -> pl.Series:
        return blamed(self.injections, kinds)
