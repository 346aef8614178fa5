"""Versions of entities: numbered without a gap, each valid from where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator

from sim.quality.checks.scope import Scope, Subject, column
from sim.quality.finding import Finding, exact
from sim.quality.tables import quoted

_COLUMNS = ("version", "valid_from", "valid_to", "is_current")


def measure(scope: Scope) -> Iterator[Finding]:
    """Every stream of versions."""
    for subject in scope.subjects.values():
        told = subject.types and subject.name.endswith("_version") and not subject.faulty
        if told and subject.key is not None and subject.has(subject.key, *_COLUMNS):
            yield _chained(scope, subject, subject.key)


def _chained(scope: Scope, subject: Subject, key: str) -> Finding:
    window = f"PARTITION BY {column(key)} ORDER BY version"
    before = f"lag(version) OVER ({window}) AS v, lag(valid_to) OVER ({window}) AS ended"
    sql = f"""
        SELECT count(*) FILTER (
            version <> coalesce(v + 1, 1) OR (v IS NOT NULL AND valid_from IS DISTINCT FROM ended)
            OR is_current <> (valid_to IS NULL)
        )
        FROM (SELECT version, valid_from, valid_to, is_current, {before} FROM {quoted(subject.name)})
    """
    ((wrong,),) = scope.dataset.query(sql)
    told = "the version before is missing, or did not end where this one begins"
    return exact("structure", "versions", subject.name, wrong, told, of=subject.rows, weight=2)
