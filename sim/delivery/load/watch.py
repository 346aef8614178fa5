"""The watch over a trial: a thread that counts, looks at the clock, and ends the trial when its time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.delivery.load.processor import Used, used
from sim.delivery.load.recorder import Recorder
from sinks.contract import Sink

GRACE = 1.0
"""Seconds after the end in which facts that are late may still leave."""

_SHORTEST, _LONGEST = 0.05, 1.0

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Readings:
    """What was read again and again: seconds of the trial, and what there was by then."""

    at: list[float] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    generator: list[float] = field(default_factory=list)
    machine: list[float] = field(default_factory=list)

    def by(self, name: str, seconds: Floats) -> Floats:
        """One of them at these seconds of the trial, straight in between; float64 like `seconds`."""
        values: Floats = np.interp(seconds, self.at, getattr(self, name)) if self.at else np.zeros(len(seconds))
        return values

    def mean(self, name: str, first: float, last: float) -> float:
        """By how much one of them grew a second."""
        low, high = self.by(name, np.array([first, last]))
        return float(high - low) / max(1e-9, last - first)


class Watch(threading.Thread):
    """Reads until it is ended; sets `over` when the time of the trial is up, or `stop` is set.

    `others` are processes of ours that are not part of the generator. `tell` hears how far the trial is.
    """

    def __init__(
        self,
        recorder: Recorder,
        sink: Sink,
        over: threading.Event,
        stop: threading.Event,
        others: frozenset[int] = frozenset(),
        tell: Callable[[float, Recorder], None] | None = None,
    ) -> None:
        super().__init__(name="datagen-load", daemon=True)
        self.readings = Readings()
        self._recorder, self._sink, self._over, self._asked = recorder, sink, over, stop
        self._others, self._tell = others, tell
        self._before = sink.acknowledged
        self._done = threading.Event()
        self._pause = min(_LONGEST, max(_SHORTEST, recorder.trial.interval / 4))

    @property
    def seconds(self) -> float:
        """Where in the trial it is now; 0 before the first fact has left."""
        began = self._recorder.began
        return 0.0 if began is None else max(0.0, time.time() - began)

    @property
    def acknowledged(self) -> int:
        """Facts of the trial that the target has."""
        return max(0, self._sink.acknowledged - self._before)

    def run(self) -> None:
        """Read, until `end` is called."""
        while not self._done.wait(self._pause):
            self.read()
            late = self.seconds > self._recorder.trial.duration + GRACE
            if self._asked.is_set() or late:
                self._over.set()

    def end(self) -> None:
        """Read for the last time; nothing follows."""
        self._done.set()
        self.join()
        self.read()

    def read(self) -> None:
        """Count what was queued, and take a reading where the trial has begun."""
        self._recorder.drain()
        if self._recorder.began is None:
            return
        spent = used(self._others)
        now = self.seconds
        self._note(now, spent)
        if self._tell is not None:
            self._tell(now, self._recorder)

    def _note(self, now: float, spent: Used) -> None:
        readings = self.readings
        if not readings.at:
            readings.at.append(0.0)
            readings.sent.append(0)
            readings.acknowledged.append(0)
            readings.generator.append(spent.generator)
            readings.machine.append(spent.machine)
        # A message that is being handed over may be counted as under way before it is counted as handed over.
        known = max(self.acknowledged, readings.acknowledged[-1])
        readings.at.append(now)
        readings.sent.append(self._recorder.sent)
        readings.acknowledged.append(known)
        readings.generator.append(spent.generator)
        readings.machine.append(spent.machine)
