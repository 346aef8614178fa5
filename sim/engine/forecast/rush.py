"""How busy the busiest hour and the busiest minute of a run will be."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from sim.batch import Batch, event_times
from sim.maths.normal import normal_cdf
from sim.maths.units import HOUR, MINUTE, WEEK

Floats = NDArray[np.float64]

_WEEK = WEEK // HOUR
_SPAN = 4 * _WEEK
"""Hours over which the level of a stream is taken as even, but for the shape of its week."""
_WEIGHT = 20.0
"""How many facts the shape of the week counts for, against those seen in the hour itself."""
_CROWD = 30
_TOP = 2000
_HALVINGS = 50
_MINUTES = HOUR // MINUTE


class Rush:
    """Counts facts by hour in pilots of a run that begins at `start`, and crowds within minutes."""

    def __init__(self, start: int, end: int) -> None:
        self._start = start
        self._hours = max(-(-(end - start) // HOUR), 1)
        self._counts: defaultdict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(self._hours, dtype=np.int64))
        self._crowds: defaultdict[str, int] = defaultdict(int)
        self._first: defaultdict[str, int] = defaultdict(int)

    def count(self, batch: Batch) -> None:
        """Take in facts; those of the first instant exist rather than happen."""
        times = event_times(batch.data) - self._start
        first = int(np.searchsorted(times, 0, side="right"))
        self._first[batch.stream.name] += first
        times = times[first:]
        if len(times):
            self._counts[batch.stream.name] += np.bincount(times // HOUR, minlength=self._hours)
            minutes = times // MINUTE
            edges = np.flatnonzero(np.diff(minutes, prepend=-1))
            most = int(np.diff(np.append(edges, len(minutes))).max())
            self._crowds[batch.stream.name] = max(self._crowds[batch.stream.name], most)

    def profile(self, stream: str, exposure: float) -> Floats:
        """Expected facts of each hour of one run, float64[h], where the pilots are so many runs.

        Where few were seen in an hour, it is mostly what the week's shape and the level around it say.
        """
        counts = self._counts[stream].astype(np.float64)
        padded = np.zeros(-(-len(counts) // _SPAN) * _SPAN)
        padded[: len(counts)] = counts
        shape = padded.reshape(-1, _WEEK).sum(axis=0)
        seen = np.bincount(np.arange(len(counts)) % _WEEK, minlength=_WEEK)
        shape = shape / np.maximum(seen, 1)
        shape /= max(shape.mean(), 1e-300)
        lengths = np.minimum(_SPAN, len(counts) - np.arange(0, len(padded), _SPAN))
        level = padded.reshape(-1, _SPAN).sum(axis=1) / lengths / exposure
        usual = np.repeat(level, _SPAN)[: len(counts)] * np.resize(shape, len(counts))
        known = usual > 0
        found = np.zeros(len(counts))
        found[known] = (counts[known] + _WEIGHT) / (exposure + _WEIGHT / usual[known])
        return found

    def existing(self, stream: str, exposure: float) -> float:
        """Facts of one run's first instant: the births of those who exist then."""
        return self._first[stream] / exposure

    def crowd(self, stream: str, exposure: float) -> float:
        """Facts in the fullest minute of one run, as far as they were enough in the pilots to be no chance."""
        most = self._crowds[stream]
        return most / exposure if most > _CROWD else 0.0


def busiest_hour(profile: Floats) -> float:
    """Facts a second in the busiest hour: the median of the highest of Poisson counts with these means."""
    return _highest(profile, 1) / (HOUR / 1e6)


def busiest_minute(profile: Floats) -> float:
    """Facts a second in the busiest minute, if facts are spread evenly over their hour."""
    return _highest(profile / _MINUTES, _MINUTES) / (MINUTE / 1e6)


def _highest(means: Floats, times: int) -> float:
    """The median of the highest count, where each mean has so many counts."""
    top = np.sort(means)[-_TOP:]
    total = float(means.sum()) * times
    if total < 1:
        return total
    low, high = float(top[-1]), float(top[-1] + 12 * math.sqrt(top[-1]) + 12)
    top = top[top > 0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        chance = np.log(np.maximum(normal_cdf((middle + 0.5 - top) / np.sqrt(top)), 1e-300)).sum() * times
        low, high = (middle, high) if chance < -math.log(2) else (low, middle)
    return high
