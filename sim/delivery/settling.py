"""Windows after which a run can be gone on from: the sink finishes what it has, and the simulation keeps itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from sim.batch import Batch
from sim.delivery.windows import Window
from sim.engine.resumable import Stage
from sim.engine.snapshots import passes
from sinks.contract import Sink


@runtime_checkable
class Source(Protocol):
    """Batches that can be gone on with."""

    @property
    def total(self) -> int:
        """The facts that have come out so far, those included that were passed over."""

    def leap(self, there: Mapping[str, int]) -> dict[str, int]:
        """Pass over facts of which no more are needed than are `there`, by name; how many those are."""

    def settle(self, until: int) -> None:
        """What was written before `until` will be found by a process that goes on."""

    def finish(self) -> None:
        """There is nothing left to go on with."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches behind what was passed over."""


@runtime_checkable
class Upstream(Source, Protocol):
    """A source that stages may follow: a simulation, or what has one inside of it."""

    def attach(self, stage: Stage) -> None:
        """The facts go through `stage`, which is kept with the simulation. To be called before all else."""


class Settling:
    """Settles `sink`, and `source` if there is one, each so many facts, wherever the run began.

    So files end at the same facts in a run that was broken off as in one that was not.
    """

    def __init__(self, sink: Sink, source: Source | None) -> None:
        self._sink = sink
        self._source = source
        self._facts = 0 if source is None else source.total
        self._due: set[int] = set()

    def watched(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The windows of the source, in order."""
        for window in windows:
            before, self._facts = self._facts, self._facts + window.facts
            if passes(before, self._facts):
                self._due.add(window.until)
            yield window

    def through(self, window: Window) -> None:
        """A window is committed, and everybody knows; called from the thread that the sink is used from."""
        if window.until not in self._due:
            return
        self._due.discard(window.until)
        self._sink.settle()
        if self._source is not None:
            self._source.settle(window.until)
