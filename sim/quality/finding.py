"""A finding: one statement about a data set, checked.

Exact statements (no key is there twice) hold or not. Statistical ones (the mean is 35) come with a p-value, and hold
or not when all findings are graded together (`sim.quality.score`), because among many tests some p-values are small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Section = Literal["structure", "values", "behaviour"]
SECTIONS: tuple[Section, ...] = ("structure", "values", "behaviour")


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked statement.

    `name` is the check's, in words joined by underscores (`unique_ids`), `subject` what it looked at (`order.amount`).
    `estimate` was measured, `low` and `high` are its interval of confidence, `declared` is what should have come out;
    all of them in the units that `detail` names, None where there is none. `passed` is None while a p-value waits to be
    graded, and for ever where nothing could be measured: then `detail` says why. `weight` counts within the section.
    """

    section: Section
    name: str
    subject: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    declared: float | None = None
    p_value: float | None = None
    passed: bool | None = None
    weight: float = 1.0
    detail: str = ""

    @property
    def measured(self) -> bool:
        """Whether it could be measured at all."""
        return self.passed is not None or self.p_value is not None

    @property
    def told(self) -> bool:
        """Whether it is a figure to look at, without a verdict."""
        return not self.measured and self.estimate is not None


def exact(
    section: Section,
    name: str,
    subject: str,
    wrong: int,
    detail: str = "",
    *,
    weight: float = 1.0,
    of: int | None = None,
) -> Finding:
    """A statement that holds for every row or not: `wrong` is how many break it, `of` among how many."""
    told = detail if wrong else ""
    if wrong and of is not None:
        told = f"{wrong:,} of {of:,}{': ' if detail else ''}{detail}"
    return Finding(section, name, subject, float(wrong), declared=0.0, passed=wrong == 0, weight=weight, detail=told)


def statistical(
    section: Section,
    name: str,
    subject: str,
    p_value: float,
    *,
    estimate: float | None = None,
    low: float | None = None,
    high: float | None = None,
    declared: float | None = None,
    weight: float = 1.0,
    detail: str = "",
) -> Finding:
    """A statistical statement: `p_value` is the probability of such a deviation, or a larger one, where it holds."""
    held = min(max(p_value, 0.0), 1.0)
    return Finding(section, name, subject, estimate, low, high, declared, held, None, weight, detail)


def unmeasured(section: Section, name: str, subject: str, why: str) -> Finding:
    """A statement that the data cannot decide, with the reason; it does not count."""
    return Finding(section, name, subject, weight=0.0, detail=f"not measurable: {why}")
