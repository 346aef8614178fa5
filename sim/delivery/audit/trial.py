"""The audit of one stream: heap by heap the facts with the same ids, then those with the same keys, then windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from sim.delivery.audit.findings import FORGIVEN, MOST, Audit, Count, Finding
from sim.delivery.audit.gathered import Gathered
from sim.delivery.audit.heaps import Heaps
from sim.delivery.audit.order import Order
from sim.delivery.audit.parts import Part

TOLERANCE = 1e-9
"""Of sums, relative: they depend on the order in which numbers are added up."""

WINDOWS = {"first": pl.Int64, "aggregate": pl.String, "true": pl.Float64, "seen": pl.Float64}


@dataclass(frozen=True)
class Evidence:
    """What is compared of one stream: the facts that happened, what came, and the ledger's `injections`.

    `bound` is how late facts may come, in microseconds (None: not declared), by the order of the whole sequence or,
    unless `whole`, by that of each key. Facts from `settled` on may still be on their way. Windows are `span`
    microseconds long; `folder` takes what there is no room for in memory.
    """

    stream: str
    truth: Gathered
    seen: Gathered
    injections: Heaps
    span: int
    folder: Path
    bound: int | None = None
    whole: bool = True
    settled: int | None = None


def audit(evidence: Evidence, expect: str) -> Audit:
    """Compare what came with what happened; `expect` is a key of `FORGIVEN`. The evidence is used up."""
    trial = _Trial(evidence, expect)
    trial.run()
    happened, came = evidence.truth.rows.rows, evidence.seen.rows.rows + evidence.seen.unreadable
    undone = trial.undone if expect == "as-injected" else 0
    windows = trial.windows()
    return Audit(
        evidence.stream,
        happened,
        came,
        trial.findings(windows),
        undone,
        evidence.seen.latencies,
        windows,
        evidence.span,
    )


@dataclass
class _Trial:
    evidence: Evidence
    expect: str
    undone: int = 0
    broken: int = 0
    counts: dict[str, Count] = field(default_factory=dict)
    touched: pl.Series = field(default_factory=lambda: pl.Series("time", [], dtype=pl.Int64))

    def run(self) -> None:
        """Compare the facts."""
        evidence = self.evidence
        order = Order(evidence.folder, evidence.seen.rows.rows, evidence.bound, evidence.whole)
        sides = (evidence.truth.rows, evidence.seen.rows, evidence.injections)
        split = any(side.spilled for side in sides)
        for truth, seen, injected in zip(*(side.heaps(split) for side in sides), strict=True):
            part = Part(truth, seen, injected, FORGIVEN[self.expect], evidence.settled)
            self._take(part)
            order.add(part.arrivals)
        for side in sides:
            side.close()
        order.judge()
        self.undone += order.undone
        self.counts |= {count.kind: count for count in (order.disorder, order.beyond)}

    def _take(self, part: Part) -> None:
        for kind, rows in part.differences.items():
            self.counts.setdefault(kind, Count(kind)).add(rows)
        self.touched = pl.concat([self.touched, *part.touched(self.evidence.span)]).unique()
        self.broken += part.broken
        self.undone += part.undone

    def findings(self, windows: pl.DataFrame) -> tuple[Finding, ...]:
        """One for each kind of difference, the `windows` that differ among them."""
        unreadable = self.evidence.seen.unreadable
        explained = Finding("unreadable", unreadable, min(self.broken, unreadable))
        each = windows.group_by("first", maintain_order=True).agg(pl.col("explained").all())
        left = tuple(each.filter(~pl.col("explained"))["first"].head(MOST).to_list())
        differing = Finding("windows", len(each), int(each["explained"].sum()), left)
        return (*(count.finding for count in self.counts.values()), explained, differing)

    def windows(self) -> pl.DataFrame:
        """The aggregates of windows that differ; explained are those into which an explained difference falls."""
        evidence = self.evidence
        differing = _differing(evidence.truth.windows.frame(), evidence.seen.windows.frame())
        evidence.truth.windows.close()
        evidence.seen.windows.close()
        if evidence.settled is not None:
            differing = differing.filter(pl.col("first") < evidence.settled - evidence.span)
        return differing.with_columns(explained=pl.col("first").is_in(self.touched.implode()))


def _differing(truth: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """The aggregates that differ, one row each, by window: `first`, `aggregate`, `true` and `seen`, 0 for what is not
    there.
    """
    names = [name for name in {**truth.schema, **seen.schema} if name != "first"]
    both = _with(names, truth).join(_with(names, seen), on="first", how="full", coalesce=True, suffix="_seen")
    rows = [
        both.select("first", pl.lit(name).alias("aggregate"), _number(name, "true"), _number(f"{name}_seen", "seen"))
        for name in names
    ]
    apart = (pl.col("true") - pl.col("seen")).abs() > TOLERANCE * (1 + pl.col("true").abs())
    return pl.concat([pl.DataFrame(schema=WINDOWS), *rows]).filter(apart).sort("first", maintain_order=True)


def _with(names: Sequence[str], windows: pl.DataFrame) -> pl.DataFrame:
    """Windows with all of these aggregates: of a side on which there is nothing nobody has counted any."""
    absent = [name for name in names if name not in windows.columns]
    return windows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)


def _number(column: str, name: str) -> pl.Expr:
    return pl.col(column).fill_null(0).cast(pl.Float64).alias(name)
