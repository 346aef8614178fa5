"""Statistical verdicts: each assertion fails for a right sample with probability `ALPHA` at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

ALPHA = 1e-4
Z = float(stats.norm.isf(ALPHA / 2))
"""Half the width of a confidence interval, in standard errors."""


def poisson(count: float, expected: float) -> None:
    """`count` is a draw of a Poisson distribution with this mean (exact, two-sided)."""
    tails = stats.poisson.cdf(count, expected), stats.poisson.sf(count - 1, expected)
    assert 2 * min(tails) > ALPHA, f"{count} facts where {expected:.1f} were expected"


def share(hits: int, trials: int, probability: float) -> None:
    """`hits` of `trials` have this probability (exact binomial test)."""
    result = stats.binomtest(int(hits), int(trials), probability)
    assert result.pvalue > ALPHA, f"{hits} of {trials} where {probability:.4f} was expected"


def ratio(many: float, few: float, expected: float) -> None:
    """Two Poisson counts have means in this ratio: given their sum, the first is binomial."""
    share(int(many), int(many + few), expected / (1 + expected))


def proportions(observed: ArrayLike, expected: ArrayLike) -> None:
    """Counts by class are in proportion to `expected` (chi-square); a class of expectation 0 has none."""
    counts, weights = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    assert not counts[weights == 0].any(), "facts where none can be"
    counts, weights = counts[weights > 0], weights[weights > 0]
    p = stats.chisquare(counts, weights / weights.sum() * counts.sum()).pvalue
    assert p > ALPHA, f"chi-square p = {p:.2g}: {counts} against {weights / weights.sum() * counts.sum()}"


def levels(observed: ArrayLike, expected: ArrayLike) -> None:
    """Independent Poisson counts have these means, in total as well as by class."""
    poisson(float(np.sum(observed)), float(np.sum(expected)))
    proportions(observed, expected)


def distributed(sample: ArrayLike, cdf: Callable[[Any], Any] | str, *args: float) -> None:
    """`sample` comes from a continuous distribution (Kolmogorov-Smirnov)."""
    p = stats.kstest(np.asarray(sample), cdf, args=args).pvalue
    assert p > ALPHA, f"Kolmogorov-Smirnov p = {p:.2g} for {len(np.asarray(sample))} values"


def alike(one: ArrayLike, other: ArrayLike) -> None:
    """Two samples come from the same continuous distribution (two-sample Kolmogorov-Smirnov)."""
    p = stats.ks_2samp(np.asarray(one), np.asarray(other)).pvalue
    assert p > ALPHA, f"two samples differ: Kolmogorov-Smirnov p = {p:.2g}"


def same_shares(*samples: ArrayLike) -> None:
    """Counts by class come from the same distribution in all samples (chi-square test of homogeneity)."""
    table = np.array([np.asarray(sample, dtype=float) for sample in samples])
    table = table[:, table.sum(axis=0) > 0]
    p = stats.chi2_contingency(table).pvalue
    assert p > ALPHA, f"samples differ: chi-square p = {p:.2g}\n{table}"


def mean(sample: ArrayLike, expected: float) -> None:
    """The mean of independent values is `expected` (normal approximation: give it hundreds of values)."""
    values = np.asarray(sample, dtype=float)
    z = (values.mean() - expected) / (values.std(ddof=1) / np.sqrt(len(values)))
    assert abs(z) < Z, f"mean {values.mean():.5g} where {expected:.5g} was expected: z = {z:.2f}"


def near(estimate: float, error: float, expected: float) -> None:
    """An estimate with this standard error agrees with `expected`."""
    z = (estimate - expected) / error
    assert abs(z) < Z, f"{estimate:.5g} +- {error:.2g} where {expected:.5g} was expected: z = {z:.2f}"
