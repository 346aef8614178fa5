"""Shares of classes in two samples whose rows come in clusters: distances, and tests that know of the clusters.

The facts of one entity resemble each other, and so do those about one product or of one day; a test that takes rows as
independent finds differences everywhere. The covariance of the shares is estimated from whole clusters, and Pearson's
statistic is held against its distribution under that covariance (J. N. K. Rao and A. J. Scott 1984, "On chi-squared
tests for multiway contingency tables with cell proportions estimated from survey data"), in the F version for few
clusters (D. R. Thomas and J. N. K. Rao 1987). Several ways of clustering add up (A. C. Cameron, J. B. Gelbach and
D. L. Miller 2011, "Robust inference with multiway clustering").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_DRAWS = 400
_EXPECTED = 5.0
_CLUSTERS = 20
"""Fewer clusters, or batches of days, say nothing about covariances."""
_BATCHES = 30


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of k classes in n rows: `values` float64[k], their covariance [k, k], and how many clusters decide."""

    rows: int
    values: Floats
    covariance: Floats
    clusters: int


@dataclass(frozen=True, slots=True)
class Test:
    """The outcome: distances between the shares, what chance stays below in 95 of 100 cases, and the p-value's log."""

    total_variation: float
    total_variation_floor: float
    kolmogorov: float
    kolmogorov_floor: float
    log_p: float | None


def shares(codes: Codes, classes: int, clusters: Sequence[Codes] = ()) -> Shares:
    """The shares of classes 0..k-1; `clusters` say, in one or more ways, which rows belong together (codes from 0).

    The first way decides by itself, so that what varies less within clusters counts as well; others can only add.
    """
    rows = max(len(codes), 1)
    values = np.bincount(codes, minlength=classes) / rows
    alone = _alone(values, rows)
    covariance, deciding = alone.copy(), rows
    for place, groups in enumerate(clusters):
        count = int(groups.max(initial=-1)) + 1
        if count < 2:
            continue
        own = _within(codes, groups, values, count) / rows**2 * (count / (count - 1))
        if place == 0 and count >= _CLUSTERS:
            covariance, deciding = own, count
        elif np.trace(own) > np.trace(alone) * (1 + 2 * math.sqrt(2 / count)):
            covariance += own - alone
            deciding = min(deciding, count)
    return Shares(rows, values, _positive(covariance), deciding)


@dataclass(frozen=True, slots=True)
class Shocks:
    """The covariance of the difference of shares as the differences of `count` batches of days show it: float64[k, k].

    What goes on over time in both data sets alike cancels out.
    """

    covariance: Floats
    count: int


def shocks(codes: Sequence[Codes], days: Sequence[Codes], values: Sequence[Floats]) -> Shocks:
    """From the classes, the days (of one calendar) and the shares of two samples.

    Days that follow each other make a batch, because queues outlast a day (batch means: B. Schmeiser 1982).
    """
    low = min(int(own.min()) for own in days)
    width = -(-(max(int(own.max()) for own in days) - low + 1) // _BATCHES)
    span, rests = (max(int(own.max()) for own in days) - low) // width + 1, []
    for own, at, shares_ in zip(codes, days, values, strict=True):
        classes = len(shares_)
        sizes = np.bincount((at - low) // width * classes + own, minlength=span * classes).reshape(span, classes)
        rests.append((sizes - np.outer(sizes.sum(axis=1), shares_)) / len(own))
    difference = rests[0] - rests[1]
    count = int(difference.any(axis=1).sum())
    return Shocks(difference.T @ difference * (count / max(count - 1, 1)), count)


def _alone(values: Floats, rows: int) -> Floats:
    """The covariance of the shares of independent rows."""
    found: Floats = (np.diag(values) - np.outer(values, values)) / rows
    return found


def merged(found: Shares, groups: Sequence[Sequence[int]]) -> Shares:
    """The shares of groups of classes."""
    table = np.zeros((len(groups), len(found.values)))
    for number, group in enumerate(groups):
        table[number, group] = 1.0
    return Shares(found.rows, table @ found.values, table @ found.covariance @ table.T, found.clusters)


def compared(one: Shares, other: Shares, common: Shocks | None = None, seed: int = 0) -> Test:
    """Hold the shares of two samples against each other; `seed` is that of the draws behind the floors.

    `common` are days on which something may have happened to all at once, in one data set and not in the other.
    """
    difference = one.values - other.values
    covariance, clusters = one.covariance + other.covariance, min(one.clusters, other.clusters)
    if common is not None and common.count >= _CLUSTERS:
        alone = _alone(one.values, one.rows) + _alone(other.values, other.rows)
        if np.trace(common.covariance) > np.trace(alone) * (1 + 2 * math.sqrt(2 / common.count)):
            covariance = _positive(covariance + common.covariance - alone)
            clusters = min(clusters, common.count)
    tv, ks = _distances(difference[None, :])
    noise = _normal(covariance, seed)
    tv_floor, ks_floor = (np.quantile(values, 0.95) for values in _distances(noise))
    return Test(float(tv[0]), float(tv_floor), float(ks[0]), float(ks_floor), _log_p(one, other, covariance, clusters))


def coarse(one: Shares, other: Shares, ordered: bool = False) -> list[list[int]]:
    """Groups of classes: rare ones together, so that each is expected five times in the smaller sample, where a clump
    of rows counts once. Classes that are `ordered` join their neighbours.
    """
    alone = sum(float((own.values * (1 - own.values)).sum()) / own.rows for own in (one, other))
    spread = float(np.trace(one.covariance) + np.trace(other.covariance))
    effect = min(max(spread / max(alone, 1e-300), 1.0), 1000.0)
    pooled = (one.rows * one.values + other.rows * other.values) / (one.rows + other.rows)
    expected = pooled * min(one.rows, other.rows)
    if ordered:
        return _neighbours(expected, _EXPECTED * effect)
    kept = [int(place) for place in np.flatnonzero(expected >= _EXPECTED * effect)]
    rest = [int(place) for place in np.flatnonzero(expected < _EXPECTED * effect)]
    groups = [[place] for place in kept]
    if rest and expected[rest].sum() >= _EXPECTED * effect:
        groups.append(rest)
    elif rest and groups:
        groups[int(np.argmin(expected[kept]))].extend(rest)
    elif rest:
        groups = [rest]
    return groups


def _neighbours(expected: Floats, least: float) -> list[list[int]]:
    """Runs of classes with so many expected, but for what is left at the end, which joins the last."""
    runs: list[list[int]] = [[]]
    for place in range(len(expected)):
        if expected[runs[-1]].sum() >= least:
            runs.append([])
        runs[-1].append(place)
    if len(runs) > 1 and expected[runs[-1]].sum() < least:
        last = runs.pop()
        runs[-1] += last
    return runs


def _within(codes: Codes, groups: Codes, values: Floats, count: int) -> Floats:
    """The sum over clusters of the squares of what they have more of each class than is usual: float64[k, k]."""
    from scipy import sparse

    ones = np.ones(len(codes))
    sizes = sparse.coo_array((ones, (groups, codes)), shape=(count, len(values))).tocsr()
    totals = np.bincount(groups, minlength=count).astype(np.float64)
    cross = np.outer(np.asarray(sizes.T @ totals), values)
    squares = np.asarray((sizes.T @ sizes).todense())
    found: Floats = squares - cross - cross.T + float(totals @ totals) * np.outer(values, values)
    return found


def _log_p(one: Shares, other: Shares, covariance: Floats, clusters: int) -> float | None:
    """The second-order correction of Rao and Scott, in the F version of Thomas and Rao."""
    from scipy import stats

    pooled = (one.rows * one.values + other.rows * other.values) / (one.rows + other.rows)
    used = pooled > 0
    if used.sum() < 2:
        return None
    root = np.sqrt(pooled[used])
    scaled = covariance[np.ix_(used, used)] / np.outer(root, root)
    statistic = float((((one.values - other.values)[used] / root) ** 2).sum())
    total, squares = float(np.trace(scaled)), float((scaled * scaled).sum())
    if total <= 0:
        return 0.0 if statistic <= 1e-12 else -math.inf
    freedom = total**2 / squares
    return float(stats.f.logsf(statistic / total, freedom, freedom * max(clusters - 1, 1)))


def _distances(differences: Floats) -> tuple[Floats, Floats]:
    """Total variation and Kolmogorov-Smirnov distances of differences of shares, float64[m, k]."""
    return np.abs(differences).sum(axis=1) / 2, np.abs(np.cumsum(differences, axis=1)).max(axis=1)


def _normal(covariance: Floats, seed: int) -> Floats:
    """Normal draws with that covariance, float64[m, k]."""
    weights, directions = np.linalg.eigh(covariance)
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(weights)))
    drawn: Floats = draws * np.sqrt(np.maximum(weights, 0.0)) @ directions.T
    return drawn


def _positive(covariance: Floats) -> Floats:
    """The nearest matrix without negative variances."""
    weights, directions = np.linalg.eigh(covariance)
    found: Floats = (directions * np.maximum(weights, 0.0)) @ directions.T
    return found
