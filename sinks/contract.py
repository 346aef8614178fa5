"""What a sink is: a few verbs, a lifecycle and a promise.

    open -> ((write* | stage -> emit*) -> commit)* -> close

One thread at a time calls a sink; `prepare` and `stage` alone may be called beside the others. `open` comes once; then
windows of simulated time follow each other: `write` receives the window's batches by the rank of their streams, each
sorted by event time and id, and `commit(watermark)` says that the window is whole. `prepare` tells of them beforehand.
Where facts are to leave when they are due, `stage` takes some of them ahead of their time, encoded as far as the sink
can, and `emit` lets more and more of them go. `settle` asks that a later process finds all that is committed. `close`
ends it; nothing follows close.

What was written after the last `commit` is not part of the output: `close` drops it. So a run that is interrupted, or
that fails in the middle of a window, just closes the sink: there is no verb for that, and no half-written window or
file is ever visible. After an error from `write` or `commit` the only verb left is `close`, which leaves behind
what had been made durable before.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self, final

from sim.errors import DeliveryError, ParameterError, SinkError
from sinks.run import Past, Report, Run
from sinks.staging import Staged
from sinks.words import nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.batch import Batch, Stream
    from sinks.probe import Listener, Probe
    from sinks.target import Target


class Stopped(Exception):
    """The run was told to end while the sink waited for a target that does not answer: it ends as it is."""


class Closed(Exception):
    """Whoever reads the output has gone, as `head` does: the run ends here, quietly and with success."""


class Sink(ABC):
    """Takes facts to one target. Subclasses write `_open`, `_write`, `_commit` and `_close`.

    The public verbs check the lifecycle and count; the private ones do the work. A sink is built from its `Target`
    and reads its options there, so that a wrong option is refused before anything runs; it touches the outside world
    only from `open` on.

    `durable` says whether committed facts outlive the process, `guarantee` what a consumer may rely on, in words,
    and `interleaved` whether the output is one sequence in which the facts of all streams are in order (so that
    shards must be merged before they come here). `acknowledges` says when the target has a fact that was emitted: when
    `emit` is done, when `commit` is, or later (then the sink tells its `probe` itself).
    """

    scheme: ClassVar[str]
    durable: ClassVar[bool] = False
    guarantee: ClassVar[str] = "none"
    interleaved: ClassVar[bool] = False
    acknowledges: Literal["emit", "commit", "later"] = "commit"
    damages: frozenset[str] = frozenset()
    """The kinds of damage (`sinks.damage`) that the sink can do to what it writes, with its options."""
    resumable: bool = False
    """Whether an output that was broken off can be gone on with, so that every fact is in it once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.streams: tuple[Stream, ...] = ()
        self.run: Run | None = None
        self.watermark: int | None = None
        self.report: Report | None = None
        self.blocked = 0.0
        """Seconds for which the sink has waited for its target, as far as it can tell."""
        self.probe: Probe | None = None
        """Who wants to know when facts leave and are acknowledged; to be set before `open`."""
        self._emitted: list[NDArray[np.int64]] = []
        self.stop: threading.Event | None = None
        """Set once the run is to end: a sink that waits for a target which does not answer then raises `Stopped`."""
        self.resuming = False
        self.resumed: dict[str, int] = {}
        """Facts of each stream that are in the output already, where `open` found one to go on with."""
        self._state = "new"
        self._written: dict[str, int] = {}
        self._committed: dict[str, int] = {}

    @final
    def open(self, streams: Sequence[Stream], run: Run, resume: bool = False) -> None:
        """Make ready for `streams`, given by rank. Raises SinkError where the target cannot take them.

        With `resume`, goes on with what an earlier process has left behind of this very run, if there is anything;
        `resumed` says how far it came. Raises SinkError where it is of another run, ParameterError where the sink is
        not `resumable`.
        """
        self._expect("new", "open")
        if resume and not self.resumable:
            raise ParameterError(f"{self.target.url}: cannot be resumed: {self.unresumable}")
        self.resuming = resume
        self.streams, self.run = tuple(streams), run
        self._written = {stream.name: 0 for stream in streams}
        self._committed = dict(self._written)
        self._state = "failed"
        self._open(self.streams, run)
        self._state = "open"

    @final
    def write(self, batch: Batch) -> None:
        """Take a batch, which may be empty. It is not changed, and not part of the output before `commit`."""
        self._expect("open", "write")
        self._check(batch)
        self._state = "failed"
        if len(batch):
            self._write(batch)
            self._written[batch.stream.name] += len(batch)
        self._state = "open"

    @final
    def prepare(self, batches: Sequence[Batch]) -> None:
        """Hear of the batches of one of the next windows, which `write` will bring, in order: a sink that takes long to
        encode may begin. May be called from another thread than the other verbs.
        """
        self._prepare([batch for batch in batches if len(batch)])

    @final
    def stage(self, batches: Sequence[Batch], due: NDArray[np.int64]) -> Staged:
        """Encode facts that will leave by `emit`. `due` are the instants at which they are meant to leave, in their
        total order: microseconds since the epoch, by the clock of the wall, int64[n].
        """
        for batch in batches:
            self._check(batch)
        staged = self._stage(batches, due)
        staged.due = due
        return staged

    @final
    def emit(self, staged: Staged, upto: int) -> None:
        """Let the facts of `staged` up to number `upto` of their total order go."""
        self._expect("open", "emit")
        self._state = "failed"
        before, first = staged.counts, staged.sent
        staged.emit(upto)
        for name, facts in staged.counts.items():
            self._written[name] += facts - before[name]
        if self.probe is not None and staged.sent > first:
            self._tell(self.probe, staged.due[first : staged.sent])
        self._state = "open"

    @final
    def commit(self, watermark: int) -> None:
        """The window that ends at `watermark` is whole: no fact before it will come."""
        self._expect("open", "commit")
        if self.watermark is not None and watermark < self.watermark:
            raise SinkError(f"{self.target.url}: watermark {watermark} is before the last one, {self.watermark}")
        self._state = "failed"
        self._commit(watermark)
        self.watermark = watermark
        self._committed = dict(self._written)
        if self.probe is not None:
            for due in self._emitted:
                self.probe.acknowledged(due)
            self._emitted.clear()
        self._state = "open"

    @final
    def settle(self) -> None:
        """See to it that a run which is gone on with finds all that is committed."""
        self._expect("open", "settle")
        self._state = "failed"
        self._settle()
        self._state = "open"

    @final
    def close(self) -> Report:
        """Finish, drop what was not committed, and say what became of the facts. Closing again does nothing.

        Raises DeliveryError where a target that acknowledges has not acknowledged all; `report` is set then too.
        """
        if self.report is None:
            sound, opened = self._state == "open", self._state != "new"
            self._state = "closed"
            self.report = Report(facts=dict(self._committed), until=self.watermark)
            if opened:
                self.report = self._close(sound)
                self._demand(self.report)
        return self.report

    def last_run(self, scenario: str) -> Past | None:
        """What an earlier process has left behind of a run of this scenario, before `open`; None for nothing.

        Whether it is the very run that is gone on with, `open` finds out.
        """
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def unresumable(self) -> str:
        """Why the output cannot be resumed."""
        return f"{self.scheme}: keeps no account of what it has taken"

    @property
    def committed(self) -> dict[str, int]:
        """Facts per stream up to the last commit."""
        return dict(self._committed)

    @property
    def acknowledged(self) -> int:
        """Facts that the target has by now, as far as is known; may be asked for from any thread."""
        return sum((self._written if self.acknowledges == "emit" else self._committed).values())

    def listener(self) -> Listener | None:
        """What reads back what the sink is going to write, once it is open; None where nothing can."""
        return None

    @abstractmethod
    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        """Make ready."""

    @abstractmethod
    def _write(self, batch: Batch) -> None:
        """Take a batch of at least one fact."""

    def _prepare(self, batches: Sequence[Batch]) -> None:  # noqa: B027 - not all have a use for it
        """Begin to encode batches of at least one fact each."""

    def _stage(self, batches: Sequence[Batch], due: NDArray[np.int64]) -> Staged:
        """Encode facts; without a way of its own, a sink gets them by `_write` when the last of them is due."""
        return Staged(self, batches)

    @abstractmethod
    def _commit(self, watermark: int) -> None:
        """Let what was written since the last commit become part of the output."""

    def _settle(self) -> None:  # noqa: B027 - for most, committing is enough
        """Finish what was committed, where that is not enough to be gone on with."""

    @abstractmethod
    def _close(self, sound: bool) -> Report:
        """Finish; `sound` is false after an error, when only what is durable already is to be left behind."""

    def _demand(self, report: Report) -> None:
        if report.failed:
            reasons = ", ".join(f"{count} {reason}" for reason, count in report.failed.items())
            total = report.acknowledged + sum(report.failed.values())
            lost = total - report.acknowledged
            raise DeliveryError(f"{self.target.url}: {lost} of {total} facts were not acknowledged: {reasons}")

    def _tell(self, probe: Probe, due: NDArray[np.int64]) -> None:
        probe.left(due)
        if self.acknowledges == "emit":
            probe.acknowledged(due)
        elif self.acknowledges == "commit":
            self._emitted.append(due)

    def _expect(self, state: str, verb: str) -> None:
        if self._state != state:
            reason = {"new": "before open", "open": "after open", "failed": "after an error", "closed": "after close"}
            raise SinkError(f"{self.target.url}: {verb} {reason[self._state]}")

    def _check(self, batch: Batch) -> None:
        name = batch.stream.name
        if name not in self._written:
            raise SinkError(f"{self.target.url}: {name!r} is not a stream of this run{nearest(name, self._written)}")
        if self.watermark is not None and batch.start < self.watermark:
            text = f"facts from {batch.start} on come after the watermark {self.watermark}"
            raise SinkError(f"{self.target.url}: {name}: {text}")
