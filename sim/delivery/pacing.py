"""Pacing: facts leave when they are due, and how punctual that was is measured against the schedule.

Three threads: the simulation makes windows, another cuts them into slices and has the sink encode them ahead of time, a
third lets them go. A sink that is too slow makes facts late, and so does a simulation that is: which of them it was is
part of the account.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.delivery.latency import Latencies
from sim.delivery.relay import Relay
from sim.delivery.schedule import Schedule, Slice
from sim.delivery.windows import Window
from sinks.contract import Sink
from sinks.staging import Staged

AHEAD = 8
"""Slices that may be encoded ahead of the one that is leaving."""

LEAD = 0.02
"""Seconds from when the first facts are there until the schedule begins: as long as it takes to encode them."""

GRAIN = 0.0005
"""Seconds between two looks at the clock, at least: what is due in between leaves together."""

TOLERANCE = 0.1
"""Seconds by which the slowest hundredth of the facts may be late in a run that kept its schedule."""

_MICROSECONDS = 1e6


@dataclass(slots=True)
class Punctuality:
    """How late facts left, and why.

    `late` has the seconds from when each fact was due to when it had been handed to the target; `asked_s` is when the
    last fact was due, `took_s` when it had left. Of the time in which facts were overdue, `starved_s` went by without
    any that were ready to go: the generator was behind; and for `blocked_s` the sink waited for its target.
    """

    late: Latencies = field(default_factory=Latencies)
    asked_s: float = 0.0
    took_s: float = 0.0
    starved_s: float = 0.0
    blocked_s: float = 0.0

    @property
    def facts(self) -> int:
        """The facts that have left."""
        return self.late.count

    @property
    def kept(self) -> bool:
        """Whether the schedule was kept."""
        return self.facts == 0 or self.late.quantile(0.99) <= TOLERANCE

    def verdict(self, target: str) -> str:
        """In words: whether the schedule was kept, and what was in the way if it was not."""
        if self.kept:
            return "the schedule was kept"
        behind = f"{self.took_s - self.asked_s:,.1f} s behind at the end, {self.late.largest:,.1f} s at most"
        if self.blocked_s >= 0.5 * self.late.largest:
            return f"{target} was the bottleneck: it kept facts waiting for {self.blocked_s:,.1f} s ({behind})"
        return f"the generator was the bottleneck, not {target} ({behind})"


@dataclass(frozen=True, slots=True)
class Ready:
    """A slice whose facts are encoded."""

    staged: Staged
    due: NDArray[np.float64]
    window: Window


class Pacer:
    """Takes windows, lets their facts go when they are due, and commits slice by slice.

    `tell` hears of every slice that is through. What was due before the first facts were there is not late before then.
    `clock` gives seconds, `wait` sleeps for that many, or until stopped: tests replace both.
    """

    def __init__(
        self,
        schedule: Schedule,
        sink: Sink,
        stop: threading.Event,
        tell: Callable[[Window], None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.punctuality = Punctuality()
        self._schedule = schedule
        self._sink = sink
        self._stop = stop
        self._tell = tell
        self._clock = clock
        self._wait = wait or stop.wait
        self._began: float | None = None
        self._offset = self._opened = 0.0
        self._idle_since = 0.0
        self.relay: Relay[Ready] = Relay(self.emit, stop, AHEAD, "datagen-pacer")

    def take(self, window: Window) -> None:
        """Cut a window and queue its slices, encoded; returns when the last of them is queued."""
        for part in self._schedule.slices(window):
            if self._began is None:
                self.begin(part)
            if not self.relay.put(self.ready(part)):
                return

    def begin(self, first: Slice) -> None:
        """Start the clock of the schedule, with the first facts at hand."""
        # The first encoding takes longer than all others (libraries are loaded, caches filled): not at the facts' cost.
        self._sink.stage(first.window.batches, np.zeros(first.window.facts, dtype=np.int64))
        self._offset = time.time() - self._clock()
        self._opened = self._idle_since = self._clock() + LEAD
        self._began = self._schedule.beginning(self._opened, self._opened + self._offset)

    def ready(self, part: Slice) -> Ready:
        """A slice, encoded."""
        assert self._began is not None
        due = np.maximum(self._began + part.due, self._opened)
        wall = ((due + self._offset) * _MICROSECONDS).astype(np.int64)
        return Ready(self._sink.stage(part.window.batches, wall), due, part.window)

    def emit(self, ready: Ready) -> None:
        """Let the facts of a slice go, each when it is due."""
        staged, due = ready.staged, ready.due
        self._note_starvation(due)
        while staged.sent < staged.facts:
            if not self._hold(due[staged.sent if staged.gradual else -1]):
                self._break_off(ready)
                return
            self._release(staged, due)
        waited = self._sink.blocked
        self._sink.commit(ready.window.until)
        self.punctuality.blocked_s += self._sink.blocked - waited
        self._tell(ready.window)
        self._idle_since = self._clock()

    def _hold(self, due: float) -> bool:
        """Wait until something is due; False once stopped."""
        while not self._stop.is_set():
            left = due - self._clock()
            if left <= 0:
                return True
            self._wait(max(left, GRAIN))
        return False

    def _release(self, staged: Staged, due: NDArray[np.float64]) -> None:
        first = staged.sent
        upto = int(np.searchsorted(due, self._clock(), side="right")) if staged.gradual else staged.facts
        waited = self._sink.blocked
        self._sink.emit(staged, upto)
        now, account = self._clock(), self.punctuality
        account.blocked_s += self._sink.blocked - waited
        account.late.add(now - due[first:upto])
        assert self._began is not None
        account.asked_s, account.took_s = float(due[upto - 1]) - self._began, now - self._began

    def _note_starvation(self, due: NDArray[np.float64]) -> None:
        if len(due):
            self.punctuality.starved_s += max(0.0, self._clock() - max(float(due[0]), self._idle_since))

    def _break_off(self, ready: Ready) -> None:
        """What has left stays: the watermark goes up to the first fact that has not."""
        if ready.staged.sent:
            times = np.sort(np.concatenate(ready.window.times), kind="stable")
            gone = ready.window.head(ready.staged.sent)
            self._sink.commit(int(times[ready.staged.sent]))
            self._tell(Window(gone.batches, gone.start, int(times[ready.staged.sent])))
