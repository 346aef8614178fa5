"""Events that happen or not, each with a probability of its own: how many did, against how many were expected to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.loglinear import count_p
from sim.quality.behaviours.reading import Floats
from sim.quality.finding import Finding, statistical

FEWEST = 10.0
"""How many must be expected to happen, and not to happen."""


def share(
    name: str, subject: str, taken: NDArray[np.bool_], chance: Floats, declared: float, detail: str
) -> Iterator[Finding]:
    """The finding on independent events that happened (`taken`) with probabilities `chance`, one element each.

    `declared` is the probability before factors (0: the mean of `chance` is told instead). Where nothing is left to
    chance, the number must be right.
    """
    expected, variance, found = float(chance.sum()), float((chance * (1 - chance)).sum()), float(taken.sum())
    rest = len(chance) - expected
    declared = declared or expected / max(len(chance), 1)
    if variance < 1e-6:
        wrong = abs(found - expected) > 0.5
        yield Finding(
            "behaviour", name, subject, declared * found / max(expected, 1.0), declared=declared, passed=not wrong
        )
        return
    if min(expected, rest) < FEWEST:
        return
    # the rarer of both outcomes is the one whose count is nearest to Poisson
    excess, mean = (found - expected, expected) if expected <= rest else (expected - found, rest)
    p_value = float(count_p(np.array([excess]), np.array([mean]), np.array([variance]))[0])
    error = float(np.sqrt(variance)) * Z
    yield statistical(
        "behaviour",
        name,
        subject,
        p_value,
        estimate=declared * found / expected,
        low=declared * (found - error) / expected,
        high=declared * (found + error) / expected,
        declared=declared,
        detail=f"{detail}; {found:,.0f} of {len(chance):,} where {expected:,.1f} are expected",
    )
