"""Shares of categories and of segments against their weights, by Pearson's chi-square test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sim.attributes.choice import Choice
from sim.quality.checks.attributes import declarations
from sim.quality.checks.questions import Question
from sim.quality.checks.scope import Scope, column
from sim.quality.finding import Finding, statistical
from sim.quality.shares import multinomial, wilson

MOST = 2_000
"""Categories of an attribute whose shares are tested."""


def questions(scope: Scope) -> Iterator[Question]:
    """Choices that are drawn row by row, and the segments of newborn entities."""
    for declared in declarations(scope):
        attribute = declared.attribute
        if isinstance(attribute, Choice) and declared.bare and 1 < len(attribute.values) <= MOST:
            shares = dict(zip(map(_word, attribute.values), attribute.shares.tolist(), strict=True))
            yield _asked(declared.subject.name, declared.name, declared.rows, shares)
    for name, population in scope.populations.items():
        for segmentation in population.segmentations if population is not None else ():
            own = population is not None and segmentation.owner == population.index
            if own and scope.subjects[name].has(segmentation.name) and not scope.subjects[name].faulty:
                shares = dict(zip(segmentation.names, segmentation.shares.tolist(), strict=True))
                yield _asked(name, segmentation.name, "true", shares)


def _asked(stream: str, name: str, rows: str, shares: Mapping[str, float]) -> Question:
    def answer(histogram: Mapping[Any, int] | None) -> Iterator[Finding]:
        found = {_word(key): count for key, count in (histogram or {}).items()}
        counts = np.array([found.get(word, 0) for word in shares], np.float64)
        if counts.sum() and len(shares) > 1:
            yield _finding(f"{stream}.{name}", list(shares), counts, np.array(list(shares.values())))

    return Question(stream, (f"histogram({column(name)}) FILTER ({rows})",), answer)


def _finding(place: str, words: list[str], counts: Any, shares: Any) -> Finding:
    p_value, worst = multinomial(counts, shares / shares.sum())
    hits, trials = int(counts[worst]), int(counts.sum())
    low, high = wilson(hits, trials)
    return statistical(
        "values",
        "shares",
        place,
        p_value,
        estimate=hits / trials,
        low=low,
        high=high,
        declared=float(shares[worst] / shares.sum()),
        detail=f"share of {words[worst]!r} of {trials:,} rows, the furthest off of {len(words)}",
    )


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
