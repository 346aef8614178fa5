"""The pipeline: the simulation on one thread, a sink on another, a bounded queue of windows in between.

So simulation and encoding overlap, memory stays at a few windows, and a slow sink holds the simulation back. An error
on either side ends both and is raised once, in the thread that called `deliver`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sim.batch import Batch, Stream
from sim.delivery.pacing import Lag, Pacer
from sim.delivery.windows import Window, limited, windows
from sim.errors import SinkError
from sinks.contract import Closed, Report, Run, Sink

AHEAD = 2
"""Windows that the simulation may be ahead of the one being written: one is ready while the next is on its way."""

_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: the last watermark in microseconds and the facts committed so far, over all streams."""

    watermark: int
    facts: int


@dataclass(slots=True)
class Outcome:
    """What a run committed, per stream name, and how it ended.

    `reports` are the sinks' own words, one a worker. `watermark` is None where no window was completed; `stopped` says
    that a stop event cut the run short, `closed` that the reader of the output went away.
    """

    facts: dict[str, int] = field(default_factory=dict)
    watermark: int | None = None
    elapsed_s: float = 0.0
    stopped: bool = False
    closed: bool = False
    lag: Lag | None = None
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
        self.reports.extend(other.reports)


def deliver(
    batches: Iterable[Batch],
    sink: Sink,
    streams: Sequence[Stream],
    run: Run,
    *,
    limit: int | None = None,
    speed: float | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    outcome: Outcome | None = None,
) -> Outcome:
    """Open the sink, hand it every window of `batches` in order, close it.

    `limit` ends the run after that many facts in the total order, `speed` paces it (None: as fast as possible), `stop`
    ends it after the window in hand. Errors of the simulation and of the sink come out as they are, after the sink was
    closed; `outcome` then still holds what had been committed. A sink that says `Closed` ends the run without an error.
    """
    stop, outcome = stop or threading.Event(), outcome or Outcome()
    outcome.facts.update({stream.name: 0 for stream in streams})
    pacer = Pacer(speed, stop) if speed is not None else None
    outcome.lag = pacer.lag if pacer else None
    source = windows(batches, len(streams))
    began = time.monotonic()
    try:
        sink.open(streams, run)
        _feed(source if limit is None else limited(source, limit), _Handover(sink, outcome, stop, pacer, on_progress))
    finally:
        outcome.stopped = stop.is_set()
        _close(sink, outcome)
        outcome.elapsed_s = time.monotonic() - began
    return outcome


def _close(sink: Sink, outcome: Outcome) -> None:
    try:
        sink.close()
    except Closed:
        outcome.closed = True
    finally:
        if sink.report is not None:
            outcome.reports.append(sink.report)


def _feed(source: Iterator[Window], handover: _Handover) -> None:
    handover.start()
    try:
        while not handover.over and (window := next(source, None)) is not None and handover.put(window):
            pass
    except BaseException:
        handover.give_up()
        raise
    finally:
        handover.finish()
    if handover.error is not None:
        raise handover.error


class _Handover:
    """The sink's side: a thread that takes windows from a queue, paces them, writes and commits."""

    def __init__(
        self,
        sink: Sink,
        outcome: Outcome,
        stop: threading.Event,
        pacer: Pacer | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.error: Exception | None = None
        self._sink, self._outcome, self._stop, self._pacer = sink, outcome, stop, pacer
        self._tell = on_progress or (lambda progress: None)
        self._queue: queue.Queue[Window | None] = queue.Queue(AHEAD - 1)
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="datagen-sink", daemon=True)

    @property
    def over(self) -> bool:
        """True once nothing more will be taken: stopped, or failed."""
        return self._stop.is_set() or self._failed.is_set()

    def start(self) -> None:
        self._thread.start()

    def put(self, window: Window | None) -> bool:
        """Queue a window, waiting for room; False where it will not be taken any more."""
        while not self.over:
            # Waiting on an event here could deadlock with a signal handler that sets it on this very thread.
            with suppress(queue.Full):
                self._queue.put(window, timeout=_POLL)
                return True
        return False

    def give_up(self) -> None:
        """Take nothing more, not even what is queued."""
        self._failed.set()

    def finish(self) -> None:
        """Wait until everything queued is handed over, or the run is over."""
        self.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            while (window := self._get()) is not None:
                self._hand_over(window)
        except Closed:
            self._outcome.closed = True
            self._failed.set()
        except Exception as error:
            self.error = SinkError(f"{self._sink.target.url}: {error}") if isinstance(error, OSError) else error
            self._failed.set()

    def _get(self) -> Window | None:
        while not self.over:
            with suppress(queue.Empty):
                return self._queue.get(timeout=_POLL)
        return None

    def _hand_over(self, window: Window) -> None:
        for piece in self._pacer.slices(window) if self._pacer else (window,):
            for batch in piece.batches:
                self._sink.write(batch)
            self._sink.commit(piece.until)
            self._outcome.count(piece)
            self._tell(Progress(piece.until, self._outcome.total))
