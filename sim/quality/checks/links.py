"""Facts that follow from facts: the fact that a row names is there, and did not happen later."""

from __future__ import annotations

from collections.abc import Iterator

from sim.batch import TIME
from sim.quality.checks.rows import FAULTS, lost_shards
from sim.quality.checks.scope import Scope, Subject, column
from sim.quality.finding import Finding, exact, unmeasured
from sim.quality.tables import quoted


def measure(scope: Scope) -> Iterator[Finding]:
    """Rows whose cause is missing, or came later."""
    for subject in scope.subjects.values():
        for cause in scope.subjects.values():
            if _linked(scope, subject, cause):
                place = f"{subject.name}.{cause.id}"
                if subject.faulty or cause.faulty:
                    yield unmeasured("structure", "links", place, FAULTS)
                else:
                    yield from _links(scope, subject, cause, place)


def _linked(scope: Scope, subject: Subject, cause: Subject) -> bool:
    if cause.name in (subject.name, *scope.populations) or cause.id is None or not cause.types:
        return False
    if "last_step" in cause.types:  # finished cases tell of what came before them
        return False
    if cause.id != f"{cause.name}_id" or not subject.types or subject.id == cause.id:
        return False
    return subject.has(cause.id) and cause.has(cause.id) and subject.timed and cause.timed


def _links(scope: Scope, subject: Subject, cause: Subject, place: str) -> Iterator[Finding]:
    own = column(str(cause.id))
    moment = "born_at" if subject.name in scope.populations and subject.has("born_at") else TIME
    sql = f"""
        SELECT count(*) FILTER (c.{TIME} IS NULL), count(*) FILTER (c.{TIME} > f.{moment})
        FROM {quoted(subject.name)} f LEFT JOIN {quoted(cause.name)} c ON c.{own} = f.{own}
        WHERE f.{own} IS NOT NULL
    """
    ((lost, early),) = scope.dataset.query(sql)
    if lost and (shards := lost_shards(scope)):
        yield unmeasured("structure", "links", place, shards)
    else:
        yield exact("structure", "links", place, lost, f"no {cause.name} has this id", of=subject.rows, weight=3)
    told = f"the {cause.name} happened later"
    yield exact("structure", "links_in_time", place, early, told, of=subject.rows, weight=2)
