"""Questions about streams that are answered in one scan each, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding
from sim.quality.tables import quoted

MOST = 400
"""Aggregates of one query."""


@dataclass(frozen=True, slots=True)
class Question:
    """Aggregates over a stream's rows, in SQL, and what they say of it."""

    stream: str
    measures: tuple[str, ...]
    answer: Callable[..., Iterable[Finding]]


def answers(scope: Scope, questions: Iterable[Question]) -> Iterator[Finding]:
    """The findings of all questions, stream by stream."""
    by_stream: dict[str, list[Question]] = {}
    for question in questions:
        by_stream.setdefault(question.stream, []).append(question)
    for stream, own in by_stream.items():
        scope.tell(f"{stream}: {scope.subjects[stream].rows:,} rows, their values")
        values = _values(scope, stream, sorted({measure for question in own for measure in question.measures}))
        for question in own:
            yield from question.answer(*(values[measure] for measure in question.measures))


def _values(scope: Scope, stream: str, measures: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for first in range(0, len(measures), MOST):
        part = measures[first : first + MOST]
        (row,) = scope.dataset.query(f"SELECT {', '.join(part)} FROM {quoted(stream)}")
        found |= dict(zip(part, row, strict=True))
    return found
