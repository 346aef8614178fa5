"""Event times: none before the start of the run, none at its end or later; and what must not come before what."""

from __future__ import annotations

from collections.abc import Iterator

from sim.batch import TIME
from sim.maths.instants import format_instant
from sim.quality.checks.questions import Question
from sim.quality.checks.scope import Scope, Subject, column
from sim.quality.finding import Finding, exact

_NOT_AFTER = (
    ("born_at", TIME),
    ("started_at", TIME),
    ("queued_at", TIME),
    ("valid_from", TIME),
    ("valid_from", "valid_to"),
    ("began_at", "ends_at"),
)
"""Pairs of datagen's own columns the first of which is never later than the second."""

_NOT_NEGATIVE = ("seconds_in_state", "waited_s", "served_s", "step_index", "steps", "busy", "waiting", "capacity")


def questions(scope: Scope) -> Iterator[Question]:
    """The interval of the run, and the order of instants within a row."""
    for subject in scope.subjects.values():
        if subject.timed and scope.interval is not None and not subject.faulty:
            yield _inside(subject, *scope.interval)
        if not subject.types:
            continue
        for first, second in _NOT_AFTER:
            if subject.has(first, second) and _own(scope, subject, first, second):
                yield _not_after(subject, first, second)
        for name in _NOT_NEGATIVE:
            if subject.has(name) and _own(scope, subject, name):
                yield _not_negative(subject, name)


def _own(scope: Scope, subject: Subject, *names: str) -> bool:
    """Whether columns are datagen's, not attributes that happen to be called so."""
    attributes = {name for sheet in scope.sheets.get(subject.name, ()) for name in sheet.table.attributes}
    return attributes.isdisjoint(names)


def _inside(subject: Subject, start: int, end: int) -> Question:
    first, last = (f"TIMESTAMPTZ '{format_instant(instant)}'" for instant in (start, end))
    # What is told of the end of the run, as of versions, stands at the end itself.
    wrong = f"count(*) FILTER ({TIME} < {first} OR {TIME} > {last})"

    def answer(count: int, rows: int, low: object, high: object) -> Iterator[Finding]:
        told = f"the run is from {format_instant(start)} to {format_instant(end)}, the facts from {low} to {high}"
        yield exact("structure", "inside_the_run", subject.name, count, told, of=rows, weight=2)

    return Question(subject.name, (wrong, "count(*)", f"min({TIME})", f"max({TIME})"), answer)


def _not_after(subject: Subject, first: str, second: str) -> Question:
    def answer(wrong: int, rows: int) -> Iterator[Finding]:
        place = f"{subject.name}.{first}"
        yield exact("values", "inequalities", place, wrong, f"{first} is after {second}", of=rows)

    return Question(subject.name, (f"count(*) FILTER ({column(first)} > {column(second)})", "count(*)"), answer)


def _not_negative(subject: Subject, name: str) -> Question:
    def answer(wrong: int, rows: int) -> Iterator[Finding]:
        yield exact("values", "ranges", f"{subject.name}.{name}", wrong, "below 0", of=rows)

    return Question(subject.name, (f"count(*) FILTER ({column(name)} < 0)", "count(*)"), answer)
