"""Kinds of differences between what happened and what came, and the faults that explain them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from sim.delivery.faults import DROP, DUPLICATE, HOT, LATE, MISSING, SKEW, STALL
from sim.delivery.latency import Latencies

BROKEN = "broken"
"""Injections that make a message unreadable, of whatever kind."""

FAINT = "faint"
"""Missing fields that are not to be seen in what is read where they hid nothing: a list of Protobuf that was empty."""

LARGE = "oversize"
"""Injections that make a message longer than consumers expect."""

FORGIVEN = {
    "as-injected": frozenset({DROP, LATE, STALL, DUPLICATE, SKEW, HOT, MISSING, FAINT, BROKEN, LARGE}),
    "repaired": frozenset({DROP, SKEW, HOT, MISSING, FAINT, BROKEN, LARGE}),
    "ideal": frozenset[str](),
}
"""By expectation, the kinds of faults that explain a difference: all; those that nobody can repair; none."""

CAUSES = {
    # What is too large for a pipeline may be lost in it.
    "lost": frozenset({DROP, BROKEN, LARGE}),
    "unknown": frozenset[str](),
    "duplicated": frozenset({DUPLICATE}),
    # A broken message may still be readable: one of Protobuf may end between two of its fields.
    "changed": frozenset({SKEW, HOT, MISSING, FAINT, BROKEN}),
    "oversize": frozenset({LARGE}),
    "out of order": frozenset({LATE, DUPLICATE}),
    "beyond the bound": frozenset[str](),
}
"""Kinds of differences, and the faults that can be their cause."""

KINDS = (DROP, LATE, STALL, DUPLICATE, SKEW, HOT, MISSING, FAINT, BROKEN, LARGE)
"""Kinds of injections; their places are the numbers by which rows name them."""

MOST = 5
"""Examples of what is not explained."""


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
    windows: pl.DataFrame = field(default_factory=pl.DataFrame)
    """Aggregates that differ: the beginning of the window (`first`), `aggregate`, `true`, `seen`, `explained`."""
    span: int = 0
    """Microseconds that a window is long."""

    @property
    def sound(self) -> bool:
        """Whether all that differs is explained."""
        return not self.undone and all(not finding.unexplained for finding in self.findings)


class Count:
    """Differences of one kind, counted part by part."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.found = self.explained = 0
        self._examples = pl.DataFrame(schema={"place": pl.Int64, "id": pl.Int64})

    def add(self, differences: pl.DataFrame) -> None:
        """Count rows of `id`, `place` (by which the first ones are examples) and `explained`."""
        self.found += len(differences)
        self.explained += int(differences["explained"].sum())
        left = differences.filter(~pl.col("explained")).select("place", "id")
        self._examples = pl.concat([self._examples, left.bottom_k(MOST, by="place")]).sort("place").head(MOST)

    @property
    def finding(self) -> Finding:
        """All of them."""
        return Finding(self.kind, self.found, self.explained, tuple(self._examples["id"].to_list()))


def blamed(injections: pl.DataFrame, kinds: frozenset[str]) -> pl.Series:
    """The ids of the facts that were hit in one of these ways; `injections` have `id` and the number of the `kind`."""
    return injections.filter(pl.col("kind").is_in(numbers(kinds)))["id"].unique()


def numbers(kinds: Collection[str]) -> list[int]:
    """The numbers of kinds of injections."""
    return [number for number, kind in enumerate(KINDS) if kind in kinds]
