"""Seams: one run of a simulation in two parts, with neither a gap nor an overlap between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sim.batch import Batch
from sim.delivery.windows import Window, windows


class Seam:
    """The batches of a run, before and from the instant `at` (microseconds) on; the window that holds it is cut."""

    def __init__(self, batches: Iterable[Batch], streams: int, at: int) -> None:
        self.at = at
        self._source = windows(batches, streams)
        self._rest: Window | None = None

    def before(self) -> Iterator[Batch]:
        """The batches of all facts before the seam."""
        for window in self._source:
            if window.until <= self.at:
                yield from window.batches
                continue
            early, self._rest = cut(window, self.at)
            yield from early.batches
            return

    def after(self) -> Iterator[Batch]:
        """The batches of all facts from the seam on; to be asked for when `before` has ended."""
        if self._rest is not None:
            yield from self._rest.batches
            for window in self._source:
                yield from window.batches


def cut(window: Window, at: int) -> tuple[Window, Window]:
    """What of a window is before an instant inside it, and the rest, each with a batch for every stream."""
    at = max(at, window.start)
    early, late = [], []
    for batch, times in zip(window.batches, window.times, strict=True):
        place = int(np.searchsorted(times, at))
        early.append(batch.part(0, place, window.start, at))
        late.append(batch.part(place, len(batch), at, window.until))
    return Window(tuple(early), window.start, at), Window(tuple(late), at, window.until)
