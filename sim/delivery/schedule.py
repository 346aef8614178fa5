"""Schedules: when each fact is meant to leave. They are fixed when a run begins and never wait (open loop).

A window may be days of simulated time, so it is cut into slices of some milliseconds of the wall's time: what is handed
from thread to thread.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.delivery.profiles import Profile, parse_profile
from sim.delivery.windows import Window
from sim.errors import ParameterError

SLICE = 0.05
"""Seconds that a slice spans."""

MOST = 50_000
"""Facts in a slice, unless more of them have the same event time."""

_MICROSECONDS = 1e6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of a window with the seconds after the beginning at which its facts are due, in their total order."""

    window: Window
    due: Floats


class Schedule(ABC):
    """Gives every fact a time to leave, in seconds after the beginning of the run (or of its paced part)."""

    def slices(self, window: Window) -> Iterator[Slice]:
        """The facts of a window, which comes after those asked for before, in slices that follow each other.

        Stretches without facts belong to the slice before them; the last slice ends with the window.
        """
        self._enter(window)
        position, start = [0] * len(window.batches), window.start
        while (first := _next(window, position)) is not None:
            until = min(self._boundary(first), _crowded(window, position, first, self._room()))
            ends = [int(np.searchsorted(times, until)) for times in window.times]
            piece = window.rows(position, ends, start, until)
            if _next(window, ends) is None:
                piece, until = window.rows(position, ends, start, window.until), window.until
            times = np.sort(np.concatenate(piece.times), kind="stable")
            yield Slice(piece, self._due(times))
            position, start = ends, until
        if start < window.until:
            yield Slice(Window((), start, window.until), np.empty(0))

    def beginning(self, clock: float, wall: float) -> float:
        """The moment, by the clock, from which the schedule counts, when the first facts are ready to leave at `clock`.

        `wall` are the seconds since the epoch at that moment.
        """
        return clock

    @abstractmethod
    def _enter(self, window: Window) -> None:
        """Take note of the next window."""

    @abstractmethod
    def _boundary(self, first: int) -> int:
        """Where the slice ends, at the latest, that has its first fact at this event time; after that time."""

    @abstractmethod
    def _room(self) -> int:
        """How many facts the next slice may have, unless its first instant has more; at least 1."""

    @abstractmethod
    def _due(self, times: NDArray[np.int64]) -> Floats:
        """When the next facts are due, whose event times these are."""


class Speed(Schedule):
    """Facts leave when their event time says so, at `speed` simulated seconds a second.

    The event time `origin` is the beginning; without it the start of the first window is.
    """

    def __init__(self, speed: float, origin: int | None = None) -> None:
        self.speed = speed
        self.origin = origin
        self._step = max(1, round(SLICE * speed * _MICROSECONDS))

    def _enter(self, window: Window) -> None:
        if self.origin is None and window.batches:
            self.origin = window.start

    def _boundary(self, first: int) -> int:
        assert self.origin is not None
        return self.origin + ((first - self.origin) // self._step + 1) * self._step

    def _room(self) -> int:
        return MOST

    def _due(self, times: NDArray[np.int64]) -> Floats:
        assert self.origin is not None
        return (times - self.origin) / (self.speed * _MICROSECONDS)


class Live(Speed):
    """Facts leave when the clock of the wall says their event time; those of the past leave at once, many together.

    `wall` gives seconds since the epoch.
    """

    def __init__(self, origin: int, wall: Callable[[], float] = time.time) -> None:
        super().__init__(1.0, origin)
        self._wall = wall

    def _boundary(self, first: int) -> int:
        # Else whoever was away for a week would come back slice by slice, for hours.
        return max(super()._boundary(first), int(self._wall() * _MICROSECONDS))

    def beginning(self, clock: float, wall: float) -> float:
        """The moment, by the clock, at which the wall's clock showed `origin`."""
        assert self.origin is not None
        return clock - (wall - self.origin / _MICROSECONDS)


class Rate(Schedule):
    """Facts leave at so many a second, whatever their event times, in the total order."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._sent = 0

    def _enter(self, window: Window) -> None:
        pass

    def _boundary(self, first: int) -> int:
        return np.iinfo(np.int64).max

    def _room(self) -> int:
        begin = float(self.profile.due(np.array([float(self._sent)]))[0])
        return min(MOST, max(1, math.floor(self.profile.count(begin + SLICE)) - self._sent))

    def _due(self, times: NDArray[np.int64]) -> Floats:
        numbers = np.arange(self._sent, self._sent + len(times), dtype=np.float64)
        self._sent += len(times)
        return self.profile.due(numbers)


def parse_speed(text: str) -> float | None:
    """`max` is None, as fast as possible; `60x`, `60` or `0.5x` a multiple of real time; ParameterError otherwise."""
    if text.strip().lower() == "max":
        return None
    try:
        speed = float(text.strip().lower().removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise ParameterError(
            f"--speed {text!r} is not a pace: use max, or a multiple of real time above 0 such as 1x, 60x, 0.5x"
        )
    return speed


def parse_pace(speed: str, rate: str | None) -> Schedule | None:
    """The schedule that `--speed` and `--rate` ask for; None for as fast as possible."""
    multiple = parse_speed(speed)
    if rate is None:
        return None if multiple is None else Speed(multiple)
    if multiple is not None:
        raise ParameterError("--speed and --rate are both given: one of them says when facts leave")
    return Rate(parse_profile(rate))


def _next(window: Window, position: Sequence[int]) -> int | None:
    """The event time of the first fact from `position` on."""
    ahead = (int(t[i]) for t, i in zip(window.times, position, strict=True) if i < len(t))
    return min(ahead, default=None)


def _crowded(window: Window, position: Sequence[int], first: int, most: int) -> int:
    """The latest instant before which there are at most so many facts from `position` on; after `first` in any case."""

    def facts(until: int) -> int:
        return sum(int(np.searchsorted(t, until)) for t in window.times) - sum(position)

    low, high = first + 1, window.until
    if facts(high) <= most:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if facts(middle) <= most else (low, middle)
    return low
