"""The window of simulated time that the engine fills at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Tick `number`, the interval [start, until) in microseconds; the last one of a run may be shorter than a tick."""

    number: int
    start: int
    until: int


def windows(start: int, end: int, tick: int) -> Iterator[Window]:
    """The ticks that cover [start, end), in order."""
    for number, at in enumerate(range(start, end, tick)):
        yield Window(number, at, min(at + tick, end))
