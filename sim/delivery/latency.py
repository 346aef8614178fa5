"""Latencies as a histogram with logarithmic bins: any number of them in little memory, to within one percent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LOWEST = 1e-6
"""Seconds; whatever is less counts as this."""

GROWTH = 1.01
_BINS = 2_800
_LOG = math.log(GROWTH)


class Latencies:
    """Counts of lengths of time from a microsecond to two weeks (longer ones count as that), in bins 1% wide."""

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS, dtype=np.int64)
        self.total = 0.0
        self.largest = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Seconds on average; 0 where there are none."""
        return self.total / self.count if self.count else 0.0

    def add(self, seconds: NDArray[np.float64], weight: int = 1) -> None:
        """Count lengths of time, float64[n] seconds, each for `weight` of them; negative ones as 0."""
        if not len(seconds):
            return
        seconds = np.maximum(seconds, 0.0)
        place = np.ceil(np.log(np.maximum(seconds, LOWEST) / LOWEST) / _LOG - 1e-9).astype(np.int64)
        self.counts += np.bincount(np.minimum(place, _BINS - 1), minlength=_BINS) * weight
        self.total += float(seconds.sum()) * weight
        self.largest = max(self.largest, float(seconds.max()))

    def merge(self, other: Latencies) -> None:
        """Count those of another histogram as well."""
        self.counts += other.counts
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def quantile(self, share: float) -> float:
        """Seconds that this share of all do not exceed, rounded up by at most 1%; 0 where there are none."""
        if not self.count:
            return 0.0
        rank = max(1, math.ceil(share * self.count))
        place = int(np.searchsorted(np.cumsum(self.counts), rank))
        return min(self.largest, LOWEST * GROWTH**place)

    def bins(self) -> list[tuple[float, int]]:
        """The bins that are not empty: the seconds up to which they reach, and how many lengths of time they hold."""
        places = np.flatnonzero(self.counts)
        edges = np.minimum(LOWEST * GROWTH ** places.astype(np.float64), self.largest)
        return list(zip(edges.tolist(), self.counts[places].tolist(), strict=True))
