"""A difference: one thing that was measured in both data sets, and how far apart they are.

Every distance lies between 0 (the same) and 1, so that they can be compared. A p-value says how often chance alone
makes it as large; where there are very many rows tiny distances are significant, and the distance is what matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.quality.score import holm

ALPHA = 0.01
"""The probability of a false alarm among all tests of a comparison."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`subject` (`order.amount`) compared in one way (`name`), with what was found in `a` and in `b`, in words.

    `distance` is named by `measure`; `floor` is what chance alone stays below in 95 of 100 comparisons. `log_p` is the
    natural logarithm of the p-value, which may be far too small for a number; None where there is no test. `differs` is
    None before all are graded, and where nothing was tested.
    """

    stream: str
    name: str
    subject: str
    a: str
    b: str
    measure: str = ""
    distance: float | None = None
    floor: float | None = None
    log_p: float | None = None
    differs: bool | None = None
    detail: str = ""

    @property
    def p_value(self) -> float | None:
        """The p-value, 0 where it is too small for a number."""
        return None if self.log_p is None else math.exp(self.log_p)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, graded: those that are real come first, the clearest of them at the top."""

    differences: tuple[Difference, ...]
    alpha: float

    @property
    def real(self) -> tuple[Difference, ...]:
        """What differs: in its schema, or by more than chance."""
        return tuple(difference for difference in self.differences if difference.differs)

    @property
    def tests(self) -> int:
        """How many p-values there are."""
        return sum(difference.log_p is not None for difference in self.differences)

    def over(self, distance: float) -> tuple[Difference, ...]:
        """What differs by more than that; differences of the schema always do."""
        return tuple(own for own in self.real if own.distance is None or own.distance > distance)


def graded(differences: Iterable[Difference], alpha: float = ALPHA) -> Comparison:
    """Decide what is real, with a probability of at most `alpha` of any false alarm (Holm 1979)."""
    found = list(differences)
    places = [place for place, own in enumerate(found) if own.log_p is not None]
    adjusted = holm(np.array([found[place].p_value for place in places], np.float64))
    for place, value in zip(places, adjusted.tolist(), strict=True):
        found[place] = replace(found[place], differs=value <= alpha)
    return Comparison(tuple(sorted(found, key=_rank)), alpha)


def unlike(stream: str, name: str, subject: str, a: str, b: str, detail: str = "") -> Difference:
    """A difference that needs no test: of a schema."""
    return Difference(stream, name, subject, a, b, differs=True, detail=detail)


def first_words(differences: Sequence[Difference], count: int) -> str:
    """The subjects of the first few, for a line."""
    return ", ".join(f"{own.subject} ({own.name})" for own in differences[:count])


def _rank(own: Difference) -> tuple[int, float, float]:
    """Schema first, then what is real by p-value, then the rest."""
    if own.log_p is None:
        return (0 if own.differs else 2, 0.0, -(own.distance or 0.0))
    return (1 if own.differs else 2, own.log_p, -(own.distance or 0.0))
