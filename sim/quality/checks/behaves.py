"""What the scenario declares of behaviour against the facts: which streams are fit for it, and why others are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.quality.checks.rows import lost_shards
from sim.quality.checks.scope import Scope, Subject
from sim.quality.finding import Finding, unmeasured

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Fit:
    """The streams of a data set that have all that is declared, as they happened."""

    db: duckdb.DuckDBPyConnection
    streams: tuple[str, ...]


def measure(scope: Scope) -> Iterator[Finding]:
    """The findings of all behavioural checks; none without a scenario."""
    model = scope.model
    if model is None:
        return
    assert scope.interval is not None
    if scope.interval[1] < model.end:
        yield unmeasured("behaviour", "behaviours", "data set", "the run has not come to its end")
        return
    if lost := lost_shards(scope):
        yield unmeasured("behaviour", "behaviours", "data set", lost)
        return
    from sim.quality.behaviours.registry import BEHAVIOURS, guarded

    unfit = {name: reason for name, subject in scope.subjects.items() if (reason := _unfit(subject))}
    for name, reason in unfit.items():
        yield unmeasured("behaviour", "behaviours", name, reason)
    facts = Fit(scope.dataset.db, tuple(name for name in scope.subjects if name not in unfit))
    for kind in BEHAVIOURS:
        scope.tell(f"behaviour: {kind}")
        yield from guarded(kind, facts, model)


def _unfit(subject: Subject) -> str:
    """Why a stream cannot be used; empty where it can."""
    if subject.faulty:
        return "faults have been injected into its delivery"
    if not subject.has(*subject.types):
        return "columns are missing, or have other types than declared"
    return ""
