"""The shapes of days and weeks: shares of hours and weekdays, given the totals of each day and week.

Given how many events a day has, its hours share them multinomially in proportion to the compensator, whatever the
level, the trend, the states or the frailty of entities do from day to day: Pearson's chi-square over strata (Mantel and
Haenszel 1959 for the idea). Hours and weekdays are civil, so that clocks that change make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from sim.maths import civil
from sim.maths.civil import CivilUnit, unit_index
from sim.maths.seasonal import WEEKDAYS
from sim.maths.timeline import Timeline
from sim.maths.units import DAY, HOUR
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.loglinear import inverse_of
from sim.quality.behaviours.reading import Floats, Indices, sums
from sim.quality.behaviours.sheet import Sheet
from sim.quality.finding import Finding, statistical

_FEWEST = 8.0


def seasons(subject: str, timeline: Timeline, sheet: Sheet) -> Iterator[Finding]:
    """Findings on the shape of the day and of the week, where the run is long enough to have one."""
    local = timeline.local((sheet.hours[:-1] + sheet.hours[1:]) // 2)
    days = (timeline.end - timeline.start) / DAY
    cell = float(np.diff(sheet.hours).max())
    if days >= 2 and cell <= HOUR:
        names = tuple(f"{hour:02d}:00" for hour in range(24))
        yield from _shape("hours", subject, names, civil.hour_of_day(local), _strata(local, "day"), sheet)
    if days >= 14 and cell <= DAY:
        yield from _shape("weekdays", subject, WEEKDAYS, civil.day_of_week(local), _strata(local, "week"), sheet)


def _strata(local: Indices, unit: CivilUnit) -> Indices:
    index = unit_index(local, unit)
    return np.asarray(index - index.min(), dtype=np.int64)


def _shape(
    name: str, subject: str, labels: tuple[str, ...], place: Indices, strata: Indices, sheet: Sheet
) -> Iterator[Finding]:
    expected, observed = _by(strata, place, len(labels), sheet.hourly), _by(strata, place, len(labels), sheet.happened)
    possible = expected.sum(axis=1) > 0
    expected, observed = expected[possible], observed[possible]
    totals = observed.sum(axis=1)
    shares = expected / expected.sum(axis=1, keepdims=True)
    mean = totals @ shares
    groups = np.flatnonzero(mean >= _FEWEST)
    if len(groups) < 2:
        return
    excess = (observed.sum(axis=0) - mean)[groups]
    part = shares[:, groups] * totals[:, None]
    covariance = np.diag(part.sum(axis=0)) - part.T @ shares[:, groups]
    inverse, freedom = inverse_of(covariance)
    chi2 = float(excess @ inverse @ excess)
    peak = int(np.argmax(mean[groups]))
    yield statistical(
        "behaviour",
        name,
        subject,
        float(stats.chi2.sf(chi2, freedom)) if freedom else 1.0,
        **_share(observed.sum(axis=0)[groups], mean[groups], covariance, peak, float(totals.sum())),
        detail=f"share of {labels[groups[peak]]}, the busiest as declared; chi-square {chi2:.1f} with {freedom} degrees"
        " of freedom",
    )


def _by(strata: Indices, place: Indices, size: int, values: Floats) -> Floats:
    """Sums by stratum and place: float64[strata, size]."""
    rows = int(strata.max()) + 1
    return sums(strata * size + place, values, rows * size).reshape(rows, size)


def _share(observed: Floats, mean: Floats, covariance: Floats, place: int, total: float) -> dict[str, float]:
    error = float(np.sqrt(max(covariance[place, place], 0.0))) / total
    share = float(observed[place]) / total
    return {
        "estimate": share,
        "low": share - Z * error,
        "high": share + Z * error,
        "declared": float(mean[place]) / total,
    }
