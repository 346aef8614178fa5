"""Audits: what came of a stream against what happened, fact by fact, and which differences the ledger explains.

Facts are told by their ids, and what they say by a digest of all their columns. Memory is some 50 bytes a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from sim.delivery.faults import DROP, DUPLICATE, HOT, LATE, MISSING, SKEW
from sim.delivery.latency import Latencies

BROKEN = "broken"
"""Injections that make a message unreadable, of whatever kind."""

FAINT = "faint"
"""Missing fields that are not to be seen in what is read where they hid nothing: a list of Protobuf that was empty."""

FORGIVEN = {
    "as-injected": frozenset({DROP, LATE, DUPLICATE, SKEW, HOT, MISSING, FAINT, BROKEN}),
    "repaired": frozenset({DROP, SKEW, HOT, MISSING, FAINT, BROKEN}),
    "ideal": frozenset[str](),
}
"""By expectation, the kinds of faults that explain a difference: all; those that nobody can repair; none."""

CAUSES = {
    "lost": frozenset({DROP, BROKEN}),
    "unknown": frozenset[str](),
    "duplicated": frozenset({DUPLICATE}),
    # A broken message may still be readable: one of Protobuf may end between two of its fields.
    "changed": frozenset({SKEW, HOT, MISSING, FAINT, BROKEN}),
    "out of order": frozenset({LATE, DUPLICATE}),
    "beyond the bound": frozenset[str](),
}
"""Kinds of differences, and the faults that can be their cause."""

MOST = 5
TOLERANCE = 1e-9
"""Of sums, relative: they depend on the order in which numbers are added up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Differences of one kind: how many there are, how many of them the ledger explains, and ids of others."""

    kind: str
    found: int
    explained: int
    examples: tuple[int, ...] = ()

    @property
    def unexplained(self) -> int:
        """Those for which nobody is known to blame."""
        return self.found - self.explained


@dataclass(frozen=True)
class Evidence:
    """What is compared of one stream.

    `truth` has the facts that happened, in order: `id`, `time` (int64 microseconds), `key` and `digest`. `seen` has
    what came, in order: `id`, `time`, `digest`, and `sequence`, the number of the file or partition within which there
    is an order. `injections` are the ledger's: `fact_id`, `kind`. `bound` is how late facts may come, in microseconds
    (None: not declared), by the order of the whole sequence or, unless `whole`, by that of each key. Facts from
    `settled` on may still be on their way. The windows are those of a `Tally`, `span` microseconds long.
    """

    stream: str
    truth: pl.DataFrame
    seen: pl.DataFrame
    injections: pl.DataFrame
    truth_windows: pl.DataFrame
    seen_windows: pl.DataFrame
    span: int
    bound: int | None = None
    whole: bool = True
    settled: int | None = None
    unreadable: int = 0
    latencies: Latencies = field(default_factory=Latencies)


@dataclass(frozen=True)
class Audit:
    """The findings about one stream."""

    stream: str
    happened: int
    came: int
    findings: tuple[Finding, ...]
    undone: int = 0
    """Injections in the ledger of which nothing is to be seen, where that matters."""
    latencies: Latencies = field(default_factory=Latencies)
    """From event times to arrivals, where those are known."""

    @property
    def sound(self) -> bool:
        """Whether all that differs is explained."""
        return not self.undone and all(not finding.unexplained for finding in self.findings)


def audit(evidence: Evidence, expect: str) -> Audit:
    """Compare what came with what happened; `expect` is a key of `FORGIVEN`."""
    comparison = _Comparison(evidence, FORGIVEN[expect])
    findings = [comparison.finding(kind, ids) for kind, ids in comparison.differences.items()]
    findings.append(comparison.unreadable())
    findings.append(comparison.windows())
    undone = comparison.undone() if expect == "as-injected" else 0
    happened, came = len(evidence.truth), len(evidence.seen) + evidence.unreadable
    return Audit(evidence.stream, happened, came, tuple(findings), undone, evidence.latencies)


@dataclass(frozen=True)
class _Comparison:
    evidence: Evidence
    forgiven: frozenset[str]
    excused: dict[str, pl.Series] = field(default_factory=dict)

    @cached_property
    def both(self) -> pl.DataFrame:
        """What came, in order, beside what happened."""
        truth = self.evidence.truth.with_row_index("rank").rename({"time": "true_time", "digest": "true_digest"})
        return self.evidence.seen.drop("key", strict=False).join(truth, on="id", how="left", maintain_order="left")

    @cached_property
    def differences(self) -> Mapping[str, pl.Series]:
        """By kind, the ids of the facts that differ, one for each difference."""
        known = self.both.filter(pl.col("rank").is_not_null())
        copies = known.group_by("id", maintain_order=True).agg(pl.len() - 1)
        return {
            "lost": self._lost(),
            "unknown": self.both.filter(pl.col("rank").is_null())["id"],
            "duplicated": copies.select(pl.col("id").repeat_by("len").explode().drop_nulls())["id"],
            "changed": known.filter(pl.col("digest") != pl.col("true_digest"))["id"].unique(maintain_order=True),
            "out of order": known.filter(pl.col("rank") < pl.col("rank").cum_max().over("sequence", "key"))["id"],
            "beyond the bound": self._beyond(known),
        }

    def finding(self, kind: str, ids: pl.Series) -> Finding:
        """How many of the differences are explained."""
        known = ids.is_in(self._blamed(CAUSES[kind] & self.forgiven).implode())
        if kind == "duplicated":  # the ledger explains one copy of a fact, not two
            known &= ids.is_first_distinct()
        self.excused[kind] = ids.filter(known)
        return Finding(kind, len(ids), int(known.sum()), tuple(ids.filter(~known).head(MOST).to_list()))

    def unreadable(self) -> Finding:
        """Messages that are no facts; the ledger explains one for each fact that was broken and is lost."""
        broken = self._blamed(frozenset({BROKEN}) & self.forgiven)
        missing = int(broken.is_in(self.differences["lost"].implode()).sum())
        return Finding("unreadable", self.evidence.unreadable, min(missing, self.evidence.unreadable))

    def windows(self) -> Finding:
        """Windows whose aggregates differ; explained are those into which an explained difference falls."""
        evidence = self.evidence
        excused = pl.concat([pl.Series("id", [], dtype=pl.Int64), *self.excused.values()]).unique().implode()
        happened = evidence.truth.filter(pl.col("id").is_in(excused))["time"]
        seen = evidence.seen.filter(pl.col("id").is_in(excused))["time"]
        touched = (pl.concat([happened, seen]) // evidence.span * evidence.span).unique()
        differing = _differing(evidence.truth_windows, evidence.seen_windows)
        if evidence.settled is not None:
            differing = differing.filter(differing < evidence.settled - evidence.span)
        explained = differing.is_in(touched.implode())
        left = tuple(differing.filter(~explained).head(MOST).to_list())
        return Finding("windows", len(differing), int(explained.sum()), left)

    def undone(self) -> int:
        """Injections that should be seen, and are not."""
        came = self._blamed(frozenset({SKEW, HOT, MISSING}))
        came = came.filter(came.is_in(self.evidence.seen["id"].implode()))
        return sum(
            int((~injected.is_in(self.differences[kind].implode())).sum())
            for kind, injected in (
                ("lost", self._blamed(frozenset({DROP}))),
                ("lost", self._unreadable()),
                ("duplicated", self._blamed(frozenset({DUPLICATE}))),
                ("changed", came),
            )
        )

    def _unreadable(self) -> pl.Series:
        """Facts that were broken, but for those that came and say something else."""
        broken = self._blamed(frozenset({BROKEN}))
        return broken.filter(~broken.is_in(self.differences["changed"].implode()))

    def _blamed(self, kinds: frozenset[str]) -> pl.Series:
        return self.evidence.injections.filter(pl.col("kind").is_in(sorted(kinds)))["fact_id"].unique()

    def _lost(self) -> pl.Series:
        lost = self.evidence.truth.join(self.evidence.seen, on="id", how="anti", maintain_order="left")
        if self.evidence.settled is not None:
            lost = lost.filter(pl.col("time") < self.evidence.settled)
        return lost["id"]

    def _beyond(self, known: pl.DataFrame) -> pl.Series:
        if self.evidence.bound is None:
            return known["id"].clear()
        order = ["sequence"] if self.evidence.whole else ["sequence", "key"]
        behind = pl.col("true_time").cum_max().over(order) - pl.col("true_time")
        return known.filter(behind > self.evidence.bound)["id"]


def _differing(truth: pl.DataFrame, seen: pl.DataFrame) -> pl.Series:
    """The beginnings of the windows in which any of the aggregates differs."""
    names = [name for name in truth.columns if name != "first"]
    both = truth.join(seen, on="first", how="full", coalesce=True, suffix="_seen")
    columns = [(pl.col(name).fill_null(0), pl.col(f"{name}_seen").fill_null(0)) for name in names]
    apart = [(one - other).abs() > TOLERANCE * (1 + one.abs()) for one, other in columns]
    return both.filter(pl.any_horizontal(apart))["first"].sort() if names else seen["first"]
