"""The recorder: when facts left, were acknowledged and arrived, each against the instant at which it was due.

What it is told on the threads that must not wait is only queued; `drain` counts it. A fact that was due and never left
counts with the time for which it has been waiting at the end, so that a target that stands still cannot hide it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.delivery.latency import Latencies
from sim.delivery.load.trial import Trial

Instants = NDArray[np.int64]
T = TypeVar("T")

_MICROSECONDS = 1e6
_ROUNDED = 2e-6
"""Seconds by which instants are too early, at most, because they are whole microseconds."""

_UNSENT = 100_000
"""Facts that have not left of which latencies are computed at most; each stands for as many as it must."""


class Spread:
    """Latencies of facts that count: over all of the trial, and by the interval in which they were due."""

    def __init__(self, trial: Trial) -> None:
        self.whole = Latencies()
        self.parts = [Latencies() for _ in range(trial.intervals)]
        self.samples = 0
        self._trial = trial

    def add(self, due: NDArray[np.float64], seconds: NDArray[np.float64], weight: int = 1) -> None:
        """Count facts that were due at these seconds of the trial, each for `weight` facts."""
        due = due + _ROUNDED
        counts = (due >= self._trial.warmup) & (due < self._trial.duration)
        self.whole.add(seconds[counts], weight)
        self.samples += int(counts.sum())
        place = np.clip((due / self._trial.interval).astype(np.int64), 0, self._trial.intervals - 1)
        for number in np.unique(place).tolist():
            self.parts[number].add(seconds[place == number], weight)


class Recorder:
    """Hears of facts as the probe of a sink; `every` of them one is watched where the target acknowledges later.

    `full` is set once all facts of the trial have left.
    """

    def __init__(self, trial: Trial, later: bool, full: threading.Event | None = None) -> None:
        self.trial = trial
        self._full = full
        self._count = 0
        self.every = trial.every
        self.began: float | None = None
        """Seconds since the epoch at which the schedule began, once a fact has left."""
        self.lag, self.acks, self.arrivals = Spread(trial), Spread(trial), Spread(trial)
        self.sent = self.received = self.unsent = 0
        self._weight = self.every if later else 1
        self._left: deque[tuple[Instants, int]] = deque()
        self._acknowledged: deque[tuple[Instants, int]] = deque()
        self._watched: deque[tuple[int, int]] = deque()
        self._arrived: deque[tuple[Instants, int, int, int]] = deque()

    def left(self, due: Instants) -> None:
        """Facts that were due then have been handed over."""
        if self.began is None:
            first = float(self.trial.profile.due(np.zeros(1))[0])
            self.began = float(due[0]) / _MICROSECONDS - first
        self._left.append((due, _now()))
        self._count += len(due)
        if self._full is not None and self._count >= self.trial.facts:
            self._full.set()

    def acknowledged(self, due: Instants) -> None:
        """The target has these facts."""
        self._acknowledged.append((due, _now()))

    def acknowledged_one(self, due: int) -> None:
        """The target has this fact, one of `every`."""
        self._watched.append((due, _now()))

    def arrived(self, due: Instants, at: int, each: int, count: int) -> None:
        """`count` records have come back at that instant; those looked at were due then, each stands for `each`."""
        self._arrived.append((due, at, each, count))

    def drain(self) -> None:
        """Count what has been queued. To be called from one thread."""
        if self.began is None:
            return
        due, at = _joined(_taken(self._left))
        self.sent += len(due)
        self._add(self.lag, due, at)
        self._add(self.acks, *_joined(_taken(self._acknowledged)))
        if watched := _taken(self._watched):
            due, at = np.array(watched, dtype=np.int64).T
            self._add(self.acks, due, at, self._weight)
        for due, moment, each, count in _taken(self._arrived):
            # What was due before the trial began is left over from the one before.
            self.received += count
            self._add(self.arrivals, due[due >= self.began * _MICROSECONDS - 1], moment, each)

    def finish(self, ended: float, listened: bool) -> None:
        """Count the facts that were due by the second `ended` of the trial and have not left."""
        self.drain()
        due_by_then = min(self.trial.facts, math.floor(self.trial.profile.count(max(0.0, ended))))
        self.unsent = max(0, due_by_then - self.sent)
        if not self.unsent:
            return
        weight = max(1, self.unsent // _UNSENT)
        due = self.trial.profile.due(np.arange(self.sent, due_by_then, weight, dtype=np.float64))
        waited = np.maximum(0.0, ended - due)
        for spread in (self.lag, self.acks, *([self.arrivals] if listened else [])):
            spread.add(due, waited, weight)

    def _add(self, spread: Spread, due: Instants, at: int | Instants, weight: int = 1) -> None:
        assert self.began is not None
        if len(due):
            spread.add(due / _MICROSECONDS - self.began, (at - due) / _MICROSECONDS, weight)


def _now() -> int:
    return time.time_ns() // 1000


def _joined(told: Sequence[tuple[Instants, int]]) -> tuple[Instants, Instants]:
    """When all the facts of some calls were due, and the instant of the call, for each of them."""
    if not told:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    dues, moments = zip(*told, strict=True)
    return np.concatenate(dues), np.repeat(np.array(moments, dtype=np.int64), [len(due) for due in dues])


def _taken(queue: deque[T]) -> list[T]:
    """What is queued now; others may go on queueing meanwhile."""
    return [take() for take in repeat(queue.popleft, len(queue))]
