"""Several flows of batches over the same interval as one: their streams side by side, their windows cut alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.batch import Batch, Stream
from sim.delivery.windows import Window, windows


@dataclass(frozen=True, slots=True)
class Flow:
    """Batches grouped by windows, of so many streams, under a name."""

    name: str
    streams: tuple[Stream, ...]
    batches: Iterable[Batch]


def blended(flows: Sequence[Flow]) -> tuple[tuple[Stream, ...], Iterator[Batch]]:
    """The streams of all flows, those of the first in front, and their facts in windows that all of them share.

    A stream whose name an earlier flow has as well is called FLOW.STREAM. The flows begin at the same instant; what
    goes on after the first of them has ended is left out.
    """
    streams = _together(flows)
    return tuple(stream for own in streams for stream in own), _blended(flows, streams)


def _together(flows: Sequence[Flow]) -> list[list[Stream]]:
    taken: set[str] = set()
    streams: list[list[Stream]] = []
    for flow in flows:
        first = sum(map(len, streams))
        names = [_free(flow.name, stream.name, taken) for stream in flow.streams]
        taken.update(names)
        told = zip(flow.streams, names, strict=True)
        streams.append([replace(stream, name=name, rank=first + i) for i, (stream, name) in enumerate(told)])
    return streams


def _free(flow: str, stream: str, taken: set[str]) -> str:
    name, number = stream, 1
    while name in taken:
        name = f"{flow}.{stream}" if number == 1 else f"{flow}-{number}.{stream}"
        number += 1
    return name


def _blended(flows: Sequence[Flow], streams: Sequence[Sequence[Stream]]) -> Iterator[Batch]:
    sources = [windows(flow.batches, len(flow.streams)) for flow in flows]
    ahead = [next(source, None) for source in sources]
    while all(window is not None and window.until > window.start for window in ahead):
        present = [window for window in ahead if window is not None]
        until = min(window.until for window in present)
        for window, own in zip(present, streams, strict=True):
            for stream, batch in zip(own, _rows(window, None, until).batches, strict=True):
                yield Batch(stream, batch.data, window.start, until)
        rest = [_rows(window, until, window.until) for window in present]
        ahead = [
            next(source, None) if window.until == until else window
            for source, window in zip(sources, rest, strict=True)
        ]


def _rows(window: Window, start: int | None, until: int) -> Window:
    """The facts of a window in [start, until), with a batch for every stream."""
    start = window.start if start is None else start
    cut = []
    for batch, times in zip(window.batches, window.times, strict=True):
        first, last = int(np.searchsorted(times, start)), int(np.searchsorted(times, until))
        cut.append(Batch(batch.stream, batch.data.slice(first, last - first), start, until))
    return Window(tuple(cut), start, until)
