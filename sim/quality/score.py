"""Grading: p-values corrected for the number of tests, and a score from 0 to 100 by section.

Holm's method (S. Holm 1979, "A simple sequentially rejective multiple test procedure") keeps the probability of even
one false alarm among all tests of a data set below alpha, whatever depends on what.

The score of a section is the weighted mean of the marks of its checks; the mark of a check is the share of its findings
that hold, by weight, times 100. The total is the weighted mean of the sections that have findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from sim.quality.finding import SECTIONS, Finding, Section

ALPHA = 0.01
"""The probability of a false alarm among all statistical findings of a sound data set."""

WEIGHTS: Mapping[Section, float] = {"structure": 0.4, "values": 0.3, "behaviour": 0.3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Graded findings and their scores; `total` is None where nothing could be measured."""

    findings: tuple[Finding, ...]
    sections: Mapping[Section, float]
    total: float | None
    alpha: float

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What does not hold, the clearest first."""
        found = (finding for finding in self.findings if finding.passed is False)
        return tuple(sorted(found, key=lambda finding: (finding.p_value or 0.0, -finding.weight)))

    @property
    def sound(self) -> bool:
        """Whether everything that was measured holds."""
        return not self.failed


def grade(findings: Iterable[Finding], alpha: float = ALPHA) -> Verdict:
    """The verdict on all findings of a data set, with a probability of at most `alpha` of any false alarm."""
    given = list(findings)
    places = [place for place, finding in enumerate(given) if finding.passed is None and finding.p_value is not None]
    adjusted = holm(np.array([given[place].p_value for place in places], np.float64))
    for place, value in zip(places, adjusted.tolist(), strict=True):
        given[place] = replace(given[place], passed=value > alpha)
    sections = {section: mark for section in SECTIONS if (mark := _section(given, section)) is not None}
    return Verdict(tuple(given), sections, _total(sections), alpha)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values [n] adjusted by Holm's method: those above alpha hold at a family-wise error rate of alpha."""
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * (count - np.arange(count)))
    adjusted = np.empty(count, np.float64)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _section(findings: Sequence[Finding], section: Section) -> float | None:
    own = [finding for finding in findings if finding.section == section and finding.passed is not None]
    own = sorted((finding for finding in own if finding.weight > 0), key=lambda finding: finding.name)
    marks = [_mark(list(group)) for _, group in groupby(own, key=lambda finding: finding.name)]
    weight = sum(weight for weight, _ in marks)
    return 100 * sum(weight * mark for weight, mark in marks) / weight if weight else None


def weight_of(findings: Sequence[Finding]) -> float:
    """The weight of a check within its section: that of the weightiest of its findings, 0 where none is measured."""
    return max((finding.weight for finding in findings if finding.passed is not None), default=0.0)


def _mark(findings: Sequence[Finding]) -> tuple[float, float]:
    """Weight of one check, and the share of it that holds."""
    total = sum(finding.weight for finding in findings)
    held = sum(finding.weight for finding in findings if finding.passed)
    return weight_of(findings), held / total


def _total(sections: Mapping[Section, float]) -> float | None:
    weight = sum(WEIGHTS[section] for section in sections)
    return sum(WEIGHTS[section] * mark for section, mark in sections.items()) / weight if weight else None
