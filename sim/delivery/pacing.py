"""Pacing: facts leave when their event time says so, at a multiple of real time.

The schedule is fixed when the first window arrives and never waits for the sink (open loop): a sink that is too slow
makes facts late, and by how much is measured. A window may be days of simulated time, so it is cut into slices of a
few milliseconds of wall-clock time; a slice leaves when its last instant is due, hence no fact leaves before its
time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sim.delivery.windows import Window
from sim.errors import ParameterError

SLICE = 0.03
"""Wall-clock seconds that a slice spans: below what a consumer notices, above what a hand-over costs."""

_MICROSECONDS = 1e6


@dataclass(slots=True)
class Lag:
    """How far emission ran behind the schedule, in seconds, over all facts that left."""

    facts: int = 0
    total: float = 0.0
    largest: float = 0.0
    last: float = 0.0

    @property
    def mean(self) -> float:
        """Mean lag of a fact; 0 where none has left."""
        return self.total / self.facts if self.facts else 0.0

    def add(self, facts: int, total: float, largest: float) -> None:
        """Count facts with the sum and the largest of their lags."""
        self.facts += facts
        self.total += total
        self.largest = max(self.largest, largest)
        self.last = largest


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


class Pacer:
    """Cuts windows into slices and hands each over when it is due.

    `speed` is simulated seconds per second; `stop` ends the wait at once; `clock` gives seconds and `wait` sleeps for
    that many seconds or until stopped, which is what tests replace.
    """

    def __init__(
        self,
        speed: float,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.speed = speed
        self.lag = Lag()
        self._stop = stop
        self._clock = clock
        self._wait = wait or stop.wait
        self._step = max(1, round(SLICE * speed * _MICROSECONDS))
        self._origin: int | None = None
        self._began = 0.0

    def slices(self, window: Window) -> Iterator[Window]:
        """The window's facts as smaller windows, each yielded when due; ends early once stopped.

        Empty stretches are skipped, and after the last fact one empty slice closes the window, so that its watermark is
        passed on. Slices that are overdue together leave together.
        """
        if self._origin is None:
            self._origin, self._began = window.start, self._clock()
        position, start = [0] * len(window.batches), window.start
        while (first := self._next_time(window, position)) is not None:
            until = self._hold(first, window.until)
            if self._stop.is_set():
                return
            ends = [int(np.searchsorted(times, until)) for times in window.times]
            piece = window.rows(position, ends, start, until)
            self._measure(piece)
            yield piece
            position, start = ends, until
        if start < window.until:
            yield Window((), start, window.until)

    def _next_time(self, window: Window, position: list[int]) -> int | None:
        ahead = (int(t[i]) for t, i in zip(window.times, position, strict=True) if i < len(t))
        return min(ahead, default=None)

    def _hold(self, first: int, limit: int) -> int:
        """Wait until the slice with the time `first` is due; the end of what is due by then, at most `limit`."""
        end = min(self._boundary(first) + self._step, limit)
        delay = self._due(end) - self._clock()
        if delay > 0:
            self._wait(delay)
            return end
        return min(max(end, self._boundary(self._now())), limit)

    def _boundary(self, instant: int) -> int:
        assert self._origin is not None
        return self._origin + (instant - self._origin) // self._step * self._step

    def _due(self, instant: int) -> float:
        assert self._origin is not None
        return self._began + (instant - self._origin) / _MICROSECONDS / self.speed

    def _now(self) -> int:
        assert self._origin is not None
        return self._origin + int((self._clock() - self._began) * self.speed * _MICROSECONDS)

    def _measure(self, piece: Window) -> None:
        now = self._now()
        per_second = self.speed * _MICROSECONDS
        total = sum(float((now - times).sum()) for times in piece.times) / per_second
        oldest = min(int(times[0]) for times in piece.times)
        self.lag.add(piece.facts, total, (now - oldest) / per_second)
