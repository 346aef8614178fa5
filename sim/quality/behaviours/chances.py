"""Events that happen or not, each with a probability of its own: how many did, against how many were expected to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.loglinear import count_p
from sim.quality.behaviours.reading import Floats, Indices, sums
from sim.quality.finding import Finding, statistical, unmeasured

FEWEST = 10.0
"""How many must be expected to happen, and not to happen."""


def share(
    name: str, subject: str, taken: NDArray[Any], chance: Floats, declared: float, detail: str
) -> Iterator[Finding]:
    """The finding on independent events that happened (`taken`, 1 or 0) with probabilities `chance`, one element each.

    `declared` is the probability before factors (0: the mean of `chance` is told instead). Where nothing is left to
    chance, the number must be right.
    """
    if not len(chance):
        yield unmeasured("behaviour", name, subject, "there was no occasion for it")
        return
    expected, variance, found = float(chance.sum()), float((chance * (1 - chance)).sum()), float(taken.sum())
    rest = len(chance) - expected
    declared = declared or expected / len(chance)
    if variance < 1e-6:
        wrong = abs(found - expected) > 0.5
        yield Finding(
            "behaviour", name, subject, declared * found / max(expected, 1.0), declared=declared, passed=not wrong
        )
        return
    if min(expected, rest) < FEWEST:
        yield unmeasured("behaviour", name, subject, f"{expected:.1f} of {len(chance):,} are expected")
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


def even(
    name: str, subject: str, labels: tuple[str, ...], group: Indices, taken: NDArray[Any], chance: Floats
) -> Iterator[Finding]:
    """The finding on whether as many happened in all groups, given how many did overall.

    `group` is the code of each event's group, int64[n], the place of its name in `labels`.
    """
    size = len(labels)
    expected, found = sums(group, chance, size), sums(group, taken.astype(np.float64), size)
    variance = sums(group, chance * (1 - chance), size)
    some = np.flatnonzero(variance >= FEWEST)
    if len(some) < 2:
        return
    expected, found, variance = expected[some], found[some], variance[some]
    ratio = found.sum() / expected.sum()
    excess = found - ratio * expected
    project = np.eye(len(some)) - np.outer(expected, np.ones(len(some))) / expected.sum()
    covariance = project @ np.diag(variance) @ project.T
    chi2 = float(excess @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ excess)
    worst = int(np.argmax(np.abs(excess) / np.sqrt(variance)))
    yield statistical(
        "behaviour",
        name,
        subject,
        float(stats.chi2.sf(chi2, len(some) - 1)),
        estimate=float(found[worst] / expected[worst] / ratio),
        declared=1.0,
        detail=f"measured / declared at {labels[some[worst]]} against the others; chi-square {chi2:.1f} with"
        f" {len(some) - 1} degrees of freedom",
    )
