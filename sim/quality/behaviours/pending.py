"""What may fall due of facts while entities are in a state: the compensator of their leaving, and when they left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sim.maths.distributions import DurationDistribution
from sim.maths.units import format_duration
from sim.quality.behaviours.causes import Causes
from sim.quality.behaviours.members import Stays
from sim.quality.behaviours.reading import Floats, Indices, Times
from sim.quality.behaviours.survival import share_within, tabulated
from sim.quality.finding import Finding, statistical, unmeasured

_FEWEST = 8.0
_BINS = 6
_FINE = 64
_OVER = 1 - 1e-6
"""What follows from a fact has come by the time at which it has with this probability."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What may fall due in stays in a state: pairs of a stay and a fact, by stay, as arrays of one element a pair.

    `since` is how long after the fact the stay began (0: it was there), `until` how long after it the stay ended.
    """

    stay: Indices
    since: Times
    until: Times

    def take(self, rows: np.ndarray) -> Pending:
        """Those at `rows`."""
        return Pending(self.stay[rows], self.since[rows], self.until[rows])

    def expected(self, probability: float, after: DurationDistribution, until: Times | None = None) -> Floats:
        """The compensator of each pair, up to `until` after the fact at most: float64[n]."""
        end = self.until if until is None else np.minimum(until, self.until)
        since, last = self.since.astype(np.float64), np.maximum(end, self.since).astype(np.float64)
        gone = share_within(after, last) - share_within(after, since)
        return np.asarray(-np.log1p(-np.clip(probability * gone, 0.0, 1 - 1e-12)), dtype=np.float64)


def pending_in(stays: Stays, causes: Causes) -> Pending:
    """What may fall due in each stay, from the facts (by entity) before its end."""
    last = causes.last(stays.member, stays.until - 1)
    first = np.searchsorted(causes.whose, stays.member, side="left")
    many = np.where(last >= 0, last - first + 1, 0)
    stay = np.repeat(np.arange(len(stays)), many)
    which = np.arange(len(stay)) - np.repeat(np.cumsum(many) - many, many) + first[stay]
    times = causes.times[which]
    return Pending(stay, np.maximum(stays.start[stay] - times, 0), stays.until[stay] - times)


def delays(
    pending: Pending, probability: float, after: DurationDistribution, left: np.ndarray, subject: str
) -> Iterator[Finding]:
    """The finding on how long after the fact entities left, where one fact alone can have led there.

    `left` says which stays ended because of a fact.
    """
    alone, ended = _alone(pending.take(share_within(after, pending.since.astype(np.float64)) < _OVER))
    edges, expected = _bins(alone, probability, after)
    passed = alone.until[left[alone.stay] & ended]
    observed = np.bincount(np.searchsorted(edges, passed, side="right"), minlength=len(expected)).astype(np.float64)
    if len(expected) < 2 or not observed.sum():
        yield unmeasured("behaviour", "delays", subject, "too few follow from what can only be one fact")
        return
    result = stats.chisquare(observed, expected * observed.sum() / expected.sum())
    worst = int(np.argmax(np.abs(observed - expected) / np.sqrt(expected)))
    until = format_duration(int(edges[worst])) if worst < len(edges) else "the end"
    yield statistical(
        "behaviour",
        "delays",
        subject,
        float(result.pvalue),
        estimate=float(observed[worst] / expected[worst]),
        declared=1.0,
        detail=f"measured / declared up to {until}, where they differ most; chi-square {result.statistic:.1f}"
        f" with {len(expected) - 1} degrees of freedom",
    )


def _alone(pending: Pending) -> tuple[Pending, np.ndarray]:
    """The first fact in each stay, up to the next one; and whether the stay ended before that, bool[n]."""
    first = np.append(True, np.diff(pending.stay) > 0)[: len(pending.stay)]
    only = np.append(first[1:], True)[: len(first)]
    rooms = np.where(only, pending.until, pending.until - np.append(pending.until[1:], 0)[: len(only)])
    found = Pending(pending.stay, pending.since, np.maximum(rooms, pending.since)).take(first)
    return found, only[first]


def _bins(alone: Pending, probability: float, after: DurationDistribution) -> tuple[Times, Floats]:
    """Times after the fact between bins in which as many are expected as in each other, and how many that are."""
    grid, known = tabulated(after, float(alone.until.max(initial=1)))
    fine = np.unique(np.interp(np.arange(1, _FINE) / _FINE * known[-1], known, grid).astype(np.int64))
    bounds = [np.full(len(alone.stay), edge) for edge in fine.tolist()]
    grown = np.array([alone.expected(probability, after, bound).sum() for bound in bounds])
    total = float(alone.expected(probability, after).sum())
    wanted = int(np.clip(total / _FEWEST, 1, _BINS))
    place = np.unique(np.searchsorted(grown, total * np.arange(1, wanted) / wanted))
    place = place[place < len(fine)]
    return fine[place], np.diff(np.concatenate([[0.0], grown[place], [total]]))
