"""Lengths of time whose ends may lie beyond the run: distributions tested on what was seen in time.

A length u that would only be seen up to a horizon h (from its beginning to the end of the run) has the distribution F
truncated at h, so F(u) / F(h) is uniform where F is right: the probability integral transform (Rosenblatt 1952), with
right truncation as in Lagakos, Barraj and De Gruttola (1988). Kolmogorov and Smirnov's test compares.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from sim.maths.distributions import DurationDistribution
from sim.quality.behaviours.members import Stays
from sim.quality.behaviours.reading import Floats, Indices, Times
from sim.quality.behaviours.tables import cdf_of
from sim.quality.finding import Finding, statistical, unmeasured

_FEWEST = 20
_MOST = 50_000
_GRID = 2048


def tabulated(length: DurationDistribution, most: float) -> tuple[Floats, Floats]:
    """Lengths up to `most`, ascending, and the distribution function there: for interpolation."""
    even = np.linspace(0.0, max(most, 1.0), _GRID)
    grid = np.unique(np.concatenate([even, np.geomspace(1.0, max(most, 2.0), _GRID)]))
    return grid, cdf_of(length, grid)


def share_within(length: DurationDistribution, times: Floats) -> Floats:
    """P(X <= t) for each of `times`, float64[n], 0 before 0."""
    if length.type == "constant":
        return np.where(times >= 0, length.cdf(times), 0.0)
    grid, known = tabulated(length, float(np.max(times, initial=1.0)))
    return np.where(times < 0, 0.0, np.interp(times, grid, known))


def lengths(
    name: str, subject: str, length: DurationDistribution, found: Floats, horizons: Floats, detail: str = ""
) -> Iterator[Finding]:
    """The finding on lengths `found`, each of which is seen up to its horizon (microseconds, float64[n] each)."""
    if length.type == "constant":
        return
    if len(found) < _FEWEST:
        yield unmeasured("behaviour", name, subject, f"fewer than {_FEWEST} are seen to their end")
        return
    if len(found) > _MOST:
        pick = np.linspace(0, len(found) - 1, _MOST).astype(np.int64)
        found, horizons = found[pick], horizons[pick]
    top = share_within(length, horizons)
    uniform = share_within(length, found) / np.maximum(top, 1e-300)
    seen = top > 1e-12
    result = stats.kstest(np.clip(uniform[seen], 0, 1), "uniform")
    hours = 3.6e9
    told = f"Kolmogorov-Smirnov distance {result.statistic:.4f} of {int(seen.sum()):,} lengths"
    yield statistical(
        "behaviour",
        name,
        subject,
        float(result.pvalue),
        estimate=float(np.median(found)) / hours,
        declared=_median(length, top[seen], float(horizons.max())) / hours,
        detail=f"median, hours{detail}; {told}",
    )


def _median(length: DurationDistribution, tops: Floats, most: float) -> float:
    """The length that half of the truncated lengths are below, on average over the horizons."""
    grid, known = tabulated(length, most)
    levels = np.quantile(tops, np.linspace(0.005, 0.995, 100))
    below = np.minimum(known[:, None] / levels, 1.0).mean(axis=1)
    return float(grid[min(int(np.searchsorted(below, 0.5)), len(grid) - 1)])


def dwelling_times(
    stays: Stays,
    state: int,
    changes: tuple[Indices, Times, Indices, Indices, Indices],
    to: int,
    reason: int,
    way: DurationDistribution,
    end: int,
    subject: str,
) -> Iterator[Finding]:
    """The finding on the time spent in a state by those who left it one way, as far as it is known when they came."""
    member, times, source, target, why = changes
    left = (source == state) & (target == to) & (why == reason)
    own = stays.take(np.lexsort((stays.until, stays.member)))
    who, when = member[left], times[left]
    place = _match(np.stack([own.member, own.until], axis=1), np.stack([who, when], axis=1))
    known = (place >= 0) & (own.since[np.maximum(place, 0)] >= 0)
    since = own.since[place[known]]
    found = (when[known] - since).astype(np.float64)
    yield from lengths("dwell_time", subject, way, found, (end - since).astype(np.float64))


def _match(rows: Indices, wanted: Indices) -> Indices:
    """The place of each row of `wanted` among `rows`, the former sorted; -1 where it is not there."""
    both = np.concatenate([rows, wanted])
    _, codes = np.unique(both, axis=0, return_inverse=True)
    codes = codes.ravel()
    known, asked = codes[: len(rows)], codes[len(rows) :]
    if not len(known):
        return np.full(len(asked), -1)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[place] == asked, place, -1)
