"""Seams: one run of a simulation in two parts, with neither a gap nor an overlap between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from sim.batch import Batch
from sim.delivery.settling import Source, Upstream
from sim.delivery.windows import Window, windows

_AFTER = "after/"
"""What the names begin with, in snapshots, under which the facts from the seam on are counted."""


class Seam:
    """The batches of a run, before and from the instant `at` (microseconds) on; the window that holds it is cut.

    `there` are the facts from the seam on, by stream, that an earlier process has delivered.
    """

    def __init__(self, batches: Iterable[Batch], streams: int, at: int, there: Mapping[str, int] | None = None) -> None:
        self.at = at
        self._inner = batches if isinstance(batches, Upstream) else None
        self._windows = windows(batches, streams)
        self._rest: Window | None = None
        self._there = there or {}
        self._counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
        if self._inner is not None:
            self._inner.attach(self)

    def before(self) -> Part:
        """The batches of all facts before the seam."""
        return Part(self, self._inner, self._early, self._leap)

    def after(self) -> Part:
        """The batches of all facts from the seam on; their turn is when those of `before` have ended."""
        return Part(self, self._inner, self._late, lambda there: dict(self._counts[1]), last=True)

    @property
    def key(self) -> str:
        """Where the seam is."""
        return f"seam {self.at}"

    @property
    def facts(self) -> dict[str, int]:
        """The facts on either side that have come out so far."""
        early, late = self._counts
        return early | {_AFTER + name: count for name, count in late.items()}

    def keep(self, until: int) -> tuple[Mapping[str, int], Any]:
        """The counts of both sides."""
        return {}, self._counts

    def restore(self, state: Any) -> None:
        """Go on from counts."""
        self._counts = state

    def _leap(self, there: Mapping[str, int]) -> dict[str, int]:
        if self._inner is None:
            return {}
        late = {_AFTER + name: count for name, count in self._there.items()}
        found = self._inner.leap({**there, **late})
        return {name: count for name, count in found.items() if not name.startswith(_AFTER)}

    def _early(self) -> Iterator[Batch]:
        for window in self._windows:
            if window.until > self.at:
                # Behind what was passed over a window may begin after the seam; none begins after one before the run.
                at = self.at if self._counts[0] else max(self.at, window.start)
                window, self._rest = cut(window, at)
            self._count(0, window)
            yield from window.batches
            if self._rest is not None:
                return

    def _late(self) -> Iterator[Batch]:
        if self._rest is not None:
            self._count(1, self._rest)
            yield from self._rest.batches
            for window in self._windows:
                self._count(1, window)
                yield from window.batches

    def _count(self, side: int, window: Window) -> None:
        counts = self._counts[side]
        for batch in window.batches:
            counts[batch.stream.name] = counts.get(batch.stream.name, 0) + len(batch)


class Part:
    """One side of a seam, as a source of its own; with the `last` the simulation is over."""

    def __init__(
        self,
        seam: Seam,
        inner: Source | None,
        batches: Callable[[], Iterator[Batch]],
        leap: Callable[[Mapping[str, int]], dict[str, int]],
        last: bool = False,
    ) -> None:
        self._seam = seam
        self._inner = inner
        self._batches = batches
        self._last = last
        self.leap = leap

    @property
    def total(self) -> int:
        """The facts on both sides that have come out so far, those included that were passed over."""
        return sum(self._seam.facts.values())

    def settle(self, until: int) -> None:
        """What was written before `until` will be found by a process that goes on."""
        if self._inner is not None:
            self._inner.settle(until)

    def finish(self) -> None:
        """This side is delivered."""
        if self._last and self._inner is not None:
            self._inner.finish()

    def __iter__(self) -> Iterator[Batch]:
        return self._batches()


def cut(window: Window, at: int) -> tuple[Window, Window]:
    """What of a window is before an instant before its end, and the rest, each with a batch for every stream."""
    first, second = min(window.start, at), max(window.start, at)
    early, late = [], []
    for batch, times in zip(window.batches, window.times, strict=True):
        place = int(np.searchsorted(times, at))
        early.append(batch.part(0, place, first, at))
        late.append(batch.part(place, len(batch), second, window.until))
    return Window(tuple(early), first, at), Window(tuple(late), second, window.until)
