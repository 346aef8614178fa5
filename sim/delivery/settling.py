"""Windows after which a run can be gone on from: the sink finishes what it has, and the simulation keeps itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sim.delivery.windows import Window
from sim.engine.simulate import Simulation
from sim.engine.snapshots import passes
from sinks.contract import Sink


class Settling:
    """Settles `sink` each so many facts of the simulation, whatever becomes of them and wherever the run began.

    So files end at the same facts in a run that was broken off as in one that was not. `facts` is how many there were
    before the first window.
    """

    def __init__(self, sink: Sink, simulation: Simulation | None, facts: int) -> None:
        self._sink = sink
        self._simulation = simulation
        self._facts = facts
        self._due: set[int] = set()

    def watched(self, source: Iterable[Window]) -> Iterator[Window]:
        """The windows of the simulation, in order."""
        for window in source:
            before, self._facts = self._facts, self._facts + window.facts
            if passes(before, self._facts):
                self._due.add(window.until)
            yield window

    def through(self, window: Window) -> None:
        """A window is committed; called from the thread that the sink is used from."""
        if window.until not in self._due:
            return
        self._due.discard(window.until)
        self._sink.settle()
        if self._simulation is not None:
            self._simulation.settle(window.until)
