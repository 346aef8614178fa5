"""The pipeline: the simulation on one thread, a sink on another, a bounded queue of windows in between.

So simulation and encoding overlap, memory stays at a few windows, and a slow sink holds the simulation back. An error
on either side ends both and is raised once, in the thread that called `deliver`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.batch import Batch, Stream
from sim.delivery.pacing import Pacer, Punctuality
from sim.delivery.relay import Relay
from sim.delivery.schedule import Schedule
from sim.delivery.settling import Settling, Source
from sim.delivery.windows import Window, limited, remaining, windows
from sim.errors import SinkError
from sinks.contract import Closed, Sink, Stopped
from sinks.run import Report, Run

AHEAD = 2
"""Windows that the simulation may be ahead of the one being written: one is ready while the next is on its way."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: the last watermark in microseconds and the facts committed so far, over all streams."""

    watermark: int
    facts: int


@dataclass(slots=True)
class Outcome:
    """What a run committed, per stream name, and how it ended.

    `reports` are the sinks' own words, one a worker; `resumed` counts facts that were there already. `watermark` is
    None where no window was completed; `stopped` says that a stop event cut the run short, `closed` that the reader of
    the output went away.
    """

    facts: dict[str, int] = field(default_factory=dict)
    watermark: int | None = None
    elapsed_s: float = 0.0
    stopped: bool = False
    closed: bool = False
    punctuality: Punctuality | None = None
    resumed: int = 0
    reports: list[Report] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Facts over all streams."""
        return sum(self.facts.values())

    @property
    def bytes(self) -> int:
        """Bytes that the sinks wrote out, as they say."""
        return sum(report.bytes for report in self.reports)

    def count(self, window: Window) -> None:
        """Add a window that was committed."""
        for batch in window.batches:
            self.facts[batch.stream.name] = self.facts.get(batch.stream.name, 0) + len(batch)
        self.watermark = window.until

    def add(self, other: Outcome) -> None:
        """Add what another worker committed; of the watermarks the earliest holds for both."""
        for name, facts in other.facts.items():
            self.facts[name] = self.facts.get(name, 0) + facts
        marks = [mark for mark in (self.watermark, other.watermark) if mark is not None]
        self.watermark = min(marks, default=None)
        self.stopped |= other.stopped
        self.closed |= other.closed
        self.resumed += other.resumed
        self.reports.extend(other.reports)


def deliver(
    batches: Iterable[Batch],
    sink: Sink,
    streams: Sequence[Stream],
    run: Run,
    *,
    limit: int | None = None,
    schedule: Schedule | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    outcome: Outcome | None = None,
    opened: bool = False,
    resume: bool = False,
    closing: bool = True,
) -> Outcome:
    """Open the sink (unless it is `opened` already), hand it every window of `batches` in order, close it if `closing`.

    `limit` ends the run after that many facts in the total order, `schedule` says when facts leave (None: as fast as
    possible), `stop` ends it after the window in hand, or at once where a schedule is kept. Errors of the simulation
    and of the sink come out as they are, after the sink was closed; `outcome` then still holds what had been committed.
    A sink that says `Closed` ends the run without an error. With `resume` the sink goes on with what an earlier process
    has left behind of this run: what is in it already is simulated again, and not delivered.
    """
    stop, outcome = stop or threading.Event(), outcome or Outcome()
    source = batches if isinstance(batches, Source) else None
    outcome.facts.update({stream.name: 0 for stream in streams})
    sink.stop = stop
    began = time.monotonic()
    try:
        if not opened:
            sink.open(streams, run, resume)
        outcome.resumed = sum(sink.resumed.values())
        leapt = source.leap(sink.resumed) if source is not None and sink.resumed else {}
        settling = Settling(sink, source)
        relays = _relays(sink, schedule, stop, outcome, on_progress, settling)
        found = windows(batches, len(streams))
        wanted = settling.watched(found if limit is None else limited(found, limit - sum(leapt.values())))
        there = {name: count - leapt.get(name, 0) for name, count in sink.resumed.items()}
        _feed(remaining(wanted, there) if there else wanted, relays, sink, outcome)
    except Stopped:
        stop.set()
    finally:
        outcome.stopped = stop.is_set()
        if closing:
            _close(sink, outcome)
        outcome.elapsed_s = time.monotonic() - began
    if source is not None and not (outcome.stopped or outcome.closed):
        source.finish()
    return outcome


def _relays(
    sink: Sink,
    schedule: Schedule | None,
    stop: threading.Event,
    outcome: Outcome,
    on_progress: Callable[[Progress], None] | None,
    settling: Settling,
) -> list[Relay[Any]]:
    """The stages that windows go through, in order, the first of which takes them."""

    def through(window: Window) -> None:
        outcome.count(window)
        if on_progress is not None:
            on_progress(Progress(window.until, outcome.total))
        settling.through(window)

    def write(window: Window) -> None:
        for batch in window.batches:
            sink.write(batch)
        sink.commit(window.until)
        through(window)

    if schedule is None:
        return [Relay(write, stop, AHEAD - 1, "datagen-sink")]
    pacer = Pacer(schedule, sink, stop, through)
    outcome.punctuality = pacer.punctuality
    return [Relay(pacer.take, stop, AHEAD - 1, "datagen-encoder"), pacer.relay]


def _feed(source: Iterator[Window], relays: Sequence[Relay[Any]], sink: Sink, outcome: Outcome) -> None:
    """Put every window into the first relay, and wait until all of them are through the last."""
    for relay in relays:
        relay.start()
    try:
        while not any(relay.over for relay in relays) and (window := next(source, None)) is not None:
            if len(relays) == 1:
                sink.prepare(window.batches)
            if not relays[0].put(window):
                break
    except BaseException:
        for relay in relays:
            relay.give_up()
        raise
    finally:
        for relay, following in zip(relays, [*relays[1:], None], strict=True):
            relay.finish()
            if relay.error is not None and following is not None:
                following.give_up()
    for relay in relays:
        _raise(relay.error, sink, outcome)


def _raise(error: Exception | None, sink: Sink, outcome: Outcome) -> None:
    if isinstance(error, Stopped):
        return
    if isinstance(error, Closed):
        outcome.closed = True
    elif isinstance(error, OSError):
        raise SinkError(f"{sink.target.url}: {error}")
    elif error is not None:
        raise error


def _close(sink: Sink, outcome: Outcome) -> None:
    try:
        sink.close()
    except Closed:
        outcome.closed = True
    finally:
        if sink.report is not None:
            outcome.reports.append(sink.report)
