"""Running trials, one after the other, against one open sink."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from sim.delivery.load.ear import Ear
from sim.delivery.load.measured import Measured
from sim.delivery.load.recorder import Recorder
from sim.delivery.load.supply import Supply
from sim.delivery.load.trial import Trial
from sim.delivery.load.watch import Watch
from sim.delivery.pipeline import Outcome, deliver
from sim.delivery.schedule import Rate
from sim.errors import SinkError
from sinks.contract import Sink
from sinks.run import Run

ACKNOWLEDGED, HEARD = 10.0, 2.0
"""Seconds without progress after which nobody waits any more for what is on its way to the target, or back."""

_POLL = 0.02

Tell = Callable[[float, Recorder], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What trials are made with: a sink, open, with facts for it, and an ear for what comes out."""

    sink: Sink
    run: Run
    supply: Supply
    ear: Ear
    stop: threading.Event = field(default_factory=threading.Event)
    tell: Tell | None = None

    def trial(self, trial: Trial) -> Measured:
        """Make a trial. Errors of the simulation come out as they are; one of the sink is part of what was measured.

        Waits in the end until all that was sent is acknowledged, and has come back, or nothing more happens.
        """
        over, outcome = threading.Event(), Outcome()
        recorder = Recorder(trial, self.sink.acknowledges == "later", over)
        watch = Watch(recorder, self.sink, over, self.stop, self.ear.processes, self.tell)
        self.sink.probe = self.ear.recorder = recorder
        heard, blocked = self.ear.heard, self.sink.blocked
        trouble: SinkError | None = None
        watch.start()
        try:
            self._deliver(trial, over, outcome)
            ended = watch.seconds
            self._settle(watch, outcome.total, heard)
        except SinkError as error:
            trouble, ended = error, watch.seconds
        finally:
            watch.end()
            self.ear.recorder = None
            self.supply.give_back(outcome.facts, outcome.watermark)
        recorder.finish(ended, self.ear.listens)
        # The last fact may be due long before the end.
        until = trial.duration if recorder.sent >= trial.facts else min(ended, trial.duration)
        found = Measured(recorder, watch.readings, until, min(watch.acknowledged, recorder.sent))
        return replace(
            found,
            blocked_s=self.sink.blocked - blocked,
            starved_s=0.0 if outcome.punctuality is None else outcome.punctuality.starved_s,
            exhausted=trouble is None and not (outcome.stopped or outcome.closed) and outcome.total < trial.facts,
            listened=self.ear.listens,
            error=trouble,
        )

    def _deliver(self, trial: Trial, over: threading.Event, outcome: Outcome) -> None:
        hand_over = partial(deliver, schedule=Rate(trial.profile), stop=over, outcome=outcome)
        supply = self.supply
        hand_over(supply.take(trial.facts), self.sink, supply.streams, self.run, opened=True, closing=False)

    def _settle(self, watch: Watch, sent: int, heard: int) -> None:
        """Wait for what is under way to the target, and then for what is on its way back."""
        self._wait(lambda: watch.acknowledged, sent, ACKNOWLEDGED)
        if self.ear.listens:
            self._wait(lambda: self.ear.heard - heard, watch.acknowledged, HEARD)
        self.ear.check()

    def _wait(self, count: Callable[[], int], wanted: int, patience: float) -> None:
        """Until there are as many as wanted; or until the patience, in seconds, is over in which no more came."""
        seen, since = count(), time.monotonic()
        while seen < wanted and not self.stop.is_set() and time.monotonic() - since < patience:
            time.sleep(_POLL)
            if (now := count()) != seen:
                seen, since = now, time.monotonic()
