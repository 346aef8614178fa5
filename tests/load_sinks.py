"""Sinks that are as slow as a test wants them to be, and benches for load tests of them."""

from __future__ import annotations

import threading
import time
from itertools import count

from fake_batches import RUN, SPAN, STREAMS, Collector, fake_batches

from sim.delivery.load.ear import Ear
from sim.delivery.load.recorder import Recorder
from sim.delivery.load.run import Bench
from sim.delivery.load.supply import Supply, laps
from sim.delivery.load.trial import Trial
from sim.delivery.profiles import parse_profile
from sinks.staging import Staged


class Taker(Collector):
    """Takes facts one by one, each part at the cost that `_cost` says in seconds, and keeps nothing but the ids."""

    acknowledges = "emit"

    def __init__(self):
        super().__init__()
        self.ids = []

    def _stage(self, batches, due):
        return _Taken(self, batches)

    def cost(self, facts):
        return 0.0


class _Taken(Staged):
    gradual = True

    def _send(self, upto, first, last):
        for batch, start, end in zip(self.batches, first, last, strict=True):
            rows = batch.data.column("id")[start:end].to_pylist()
            self.sink.ids += [(batch.stream.name, row) for row in rows]
        if seconds := self.sink.cost(upto - self.sent):
            time.sleep(seconds)
            self.sink.blocked += seconds


class Stalling(Taker):
    """Stands still for `seconds`, once, after so many facts."""

    def __init__(self, seconds, after):
        super().__init__()
        self.seconds, self.after, self.taken = seconds, after, 0

    def cost(self, facts):
        before, self.taken = self.taken, self.taken + facts
        return self.seconds if before < self.after <= self.taken else 0.0


class Narrow(Taker):
    """Takes `capacity` facts a second and no more."""

    def __init__(self, capacity):
        super().__init__()
        self.capacity, self.free = capacity, 0.0

    def cost(self, facts):
        now = time.monotonic()
        self.free = max(now, self.free) + facts / self.capacity
        return self.free - now


class Later(Taker):
    """Acknowledges each watched fact `delay` seconds after it has left, on a thread of its own."""

    acknowledges = "later"

    def __init__(self, delay):
        super().__init__()
        self.delay, self.known = delay, 0

    @property
    def acknowledged(self):
        return self.known

    def _tell(self, probe, due):
        super()._tell(probe, due)
        first, self.seen = getattr(self, "seen", 0), getattr(self, "seen", 0) + len(due)
        watched = [instant for number, instant in zip(count(first), due.tolist()) if number % probe.every == 0]
        threading.Timer(self.delay, self._say, (probe, watched, len(due))).start()

    def _say(self, probe, watched, facts):
        self.known += facts
        for instant in watched:
            probe.acknowledged_one(instant)


def bench(sink, batches=None, stop=None):
    """A bench for an open sink, with facts without end unless `batches` says otherwise."""
    sink.probe = Recorder(Trial(parse_profile("1/s"), 1.0), later=True)
    sink.open(STREAMS, RUN)
    facts = laps(lambda number: fake_batches(4, 200), 0, 4 * SPAN) if batches is None else batches
    return Bench(sink, RUN, Supply(facts, STREAMS), Ear(None), stop or threading.Event())


def trial(rate, duration, warmup=0.0):
    return Trial(parse_profile(rate), duration, warmup)
