"""Log-linear models of observed against expected events: one factor at a time, adjusted for the others.

Observed counts of cells are Poisson with mean expected x exp(x'b) (Breslow and Day 1987, Statistical methods in cancer
research II: standardised ratios and their models); where the declaration holds, b is 0. Frailty with variance v adds
v m_i m_i' to the covariance of an entity's counts, m_i being what is expected of it. Tests are score tests (Rao 1948),
whose nuisance parameters alone are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special, stats

from sim.quality.behaviours.reading import Floats

_MOST_ROUNDS = 50
_COLLINEAR = 0.01
"""A column of which the others explain all but this share tells nothing of its own."""


@dataclass(frozen=True, slots=True)
class Score:
    """What speaks against some coefficients being 0: the excess of events over what is expected, float64[k].

    `covariance` is that of the excess with frailty, `information` without; chi-square has `freedom` degrees.
    """

    excess: Floats
    information: Floats
    covariance: Floats
    chi2: float
    freedom: int

    @property
    def p_value(self) -> float:
        """Of the hypothesis that all of them are 0."""
        if self.freedom == 0:
            return 1.0
        if self.freedom == 1 and len(self.excess) == 1:
            return float(count_p(self.excess, self.information.diagonal(), self.covariance.diagonal())[0])
        return float(stats.chi2.sf(self.chi2, self.freedom))


class Loglinear:
    """A model of cells with columns `design` [cells, columns]; column 0 is the constant.

    `cluster` is the covariance [columns, columns] that frailty adds to the score.
    """

    def __init__(
        self, design: sparse.csr_matrix, expected: Floats, observed: Floats, cluster: NDArray[np.float64] | None
    ) -> None:
        self.design = design
        self.expected = expected
        self.observed = observed
        self.cluster = np.zeros((design.shape[1], design.shape[1])) if cluster is None else cluster

    def independent(self, columns: Sequence[int]) -> list[int]:
        """Those of the columns, in order, that the ones before do not explain almost wholly."""
        listed = list(columns)
        information = self._information(listed, self.expected)
        kept: list[int] = []
        for place in range(len(listed)):
            own = information[place, place]
            cross = information[np.ix_([place], kept)][0]
            explained = cross @ np.linalg.solve(information[np.ix_(kept, kept)], cross) if kept else 0.0
            if own > 0 and own - explained > _COLLINEAR * own:
                kept.append(place)
        return [listed[place] for place in kept]

    def fit(self, columns: Sequence[int]) -> tuple[Floats, Floats]:
        """The coefficients that are most likely, float64[k], and the means of the cells under them."""
        part = self.design[:, list(columns)]
        beta: Floats = np.zeros(len(columns))
        mean: Floats = self.expected
        for _ in range(_MOST_ROUNDS if len(columns) else 0):
            score = part.T @ (self.observed - mean)
            step = np.linalg.lstsq(self._information(columns, mean), score, rcond=1e-10)[0]
            beta = np.clip(beta + np.clip(step, -1.5, 1.5), -25, 25)
            mean = self.expected * np.exp(part @ beta)
            if np.abs(step).max() < 1e-9:
                break
        return beta, mean

    def score(self, tested: Sequence[int], given: Sequence[int]) -> Score:
        """The evidence for coefficients of the columns `tested`, after fitting those `given`."""
        _, mean = self.fit(given)
        both = [*tested, *given]
        own, others = np.arange(len(tested)), np.arange(len(tested), len(both))
        information = self._information(both, mean)
        lever: Floats = np.zeros((len(own), len(others)))
        if len(others):
            cross = information[np.ix_(others, own)]
            solved = np.linalg.lstsq(information[np.ix_(others, others)], cross, rcond=1e-10)[0]
            lever = np.asarray(solved.T, dtype=np.float64)
        project = np.concatenate([np.eye(len(own)), -lever], axis=1)
        plain = project @ information @ project.T
        covariance = plain + project @ self.cluster[np.ix_(both, both)] @ project.T
        excess = self.design[:, list(tested)].T @ (self.observed - mean)
        inverse, freedom = inverse_of(covariance)
        return Score(excess, plain, covariance, float(excess @ inverse @ excess), freedom)

    def estimate(self, tested: Sequence[int], given: Sequence[int]) -> tuple[Floats, Floats]:
        """The coefficients of `tested` fitted together with `given`, and their standard errors, float64[k] each."""
        both = [*tested, *given]
        beta, mean = self.fit(both)
        inverse = np.linalg.pinv(self._information(both, mean), rcond=1e-10, hermitian=True)
        middle = self._information(both, mean) + self.cluster[np.ix_(both, both)]
        errors = np.sqrt(np.maximum((inverse @ middle @ inverse).diagonal(), 0.0))
        return beta[: len(tested)], errors[: len(tested)]

    def _information(self, columns: Sequence[int], mean: Floats) -> Floats:
        part = self.design[:, list(columns)]
        return np.asarray((part.T @ part.multiply(mean[:, None])).todense(), dtype=np.float64)


def inverse_of(covariance: Floats) -> tuple[Floats, int]:
    """The pseudo-inverse, and the rank, of a covariance."""
    scale = np.sqrt(np.maximum(covariance.diagonal(), 1e-300))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    some = values > 1e-6
    inverse = (vectors[:, some] / values[some]) @ vectors[:, some].T
    return inverse / np.outer(scale, scale), int(some.sum())


def count_p(excess: Floats, information: Floats, variance: Floats) -> Floats:
    """Two-sided p-values of counts above their means by `excess`, float64[n].

    A count with variance v is a Poisson count of mean `information` in bundles of v / information (quasi-Poisson), with
    half the probability of the count itself (mid-p; Lancaster 1961).
    """
    bundle = variance / np.maximum(information, 1e-300)
    mean = np.maximum(information / bundle, 1e-12)
    found = np.maximum(mean + excess / bundle, 0.0)
    some = np.maximum(found, 1e-12)
    # P(X > x) and P(X >= x) of a Poisson variable, continued between whole numbers
    above = (special.gammainc(found + 1, mean) + np.where(found > 0, special.gammainc(some, mean), 1.0)) / 2
    below = (special.gammaincc(found + 1, mean) + np.where(found > 0, special.gammaincc(some, mean), 0.0)) / 2
    return np.asarray(np.minimum(2 * np.minimum(above, below), 1.0), dtype=np.float64)
