"""How far a run is: a bar on a terminal, a line or a JSON object every few seconds elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

from sim.cli.terminal import logs
from sim.cli.terminal.show import clock, instant, iso, short, stderr

if TYPE_CHECKING:
    from sim.delivery.pipeline import Progress

EVERY = 5.0
"""Seconds between lines."""

Tell = Callable[["Progress"], None]


class Meter:
    """Turns progress into a share of the run, a rate and a time to go."""

    def __init__(self, start: int, end: int, limit: int | None, now: Callable[[], float] = time.monotonic) -> None:
        self._start, self._span, self._limit = start, max(1, end - start), limit
        self._now = now
        self._began = now()

    def share(self, progress: Progress) -> float:
        """How much is done, 0 to 1: of the simulated time, or of the facts where they are limited."""
        time_share = (progress.watermark - self._start) / self._span
        return min(1.0, max(time_share, progress.facts / self._limit if self._limit else 0.0))

    def rate(self, progress: Progress) -> float:
        """Facts per second since the start."""
        return progress.facts / max(1e-9, self._now() - self._began)

    def left(self, progress: Progress) -> float:
        """Seconds to go if it goes on like this; infinite at the very start."""
        share = self.share(progress)
        return (self._now() - self._began) * (1 - share) / share if share > 0 else float("inf")

    def words(self, progress: Progress) -> str:
        """Simulated time, facts, facts per second."""
        return f"{instant(progress.watermark)}  {progress.facts:>13,} facts  {short(self.rate(progress)):>6}/s"

    def fields(self, progress: Progress) -> dict[str, Any]:
        """The same for machines; `left_s` is null where nobody can know."""
        left = self.left(progress)
        return {
            "share": round(self.share(progress), 4),
            "watermark": iso(progress.watermark),
            "facts": progress.facts,
            "facts_per_s": round(self.rate(progress)),
            "left_s": round(left, 1) if isfinite(left) else None,
        }


@contextmanager
def shown(meter: Meter, show: bool | None, to_stdout: bool) -> Iterator[Tell | None]:
    """A function that shows progress, or None where nothing is to be shown.

    `show` None means: a bar if stderr is a terminal that the facts do not go to as well, otherwise lines; where
    messages are JSON, always those.
    """
    terminal = sys.stderr.isatty()
    if show is not False and logs.structured():
        yield lines(meter)
    elif show is False or (show is None and terminal and to_stdout and sys.stdout.isatty()):
        yield None
    elif terminal:
        with bar(meter) as tell:
            yield tell
    else:
        yield lines(meter)


def lines(meter: Meter, now: Callable[[], float] = time.monotonic) -> Tell:
    """A function that writes a line every `EVERY` seconds, the first after as long."""
    last = now()

    def tell(progress: Progress) -> None:
        nonlocal last
        if now() - last >= EVERY:
            last = now()
            text = f"{meter.share(progress):6.1%}  {meter.words(progress)}  {clock(meter.left(progress))} to go"
            logs.say("progress", text, meter.fields(progress))

    return tell


@contextmanager
def bar(meter: Meter) -> Iterator[Tell]:
    """A function that moves a bar, which disappears at the end."""
    from rich import progress as widgets

    columns = (widgets.BarColumn(), widgets.TaskProgressColumn(), widgets.TextColumn("{task.fields[words]}"))
    with widgets.Progress(*columns, console=stderr(), transient=True) as display:
        task = display.add_task("", total=1.0, words="")

        def tell(progress: Progress) -> None:
            words = f"{meter.words(progress)}  {clock(meter.left(progress))} to go"
            display.update(task, completed=meter.share(progress), words=words)

        yield tell


@contextmanager
def aside(doing: str, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function to say what is being done: on the last line of a terminal, elsewhere a line every `EVERY` seconds."""
    if quiet:
        yield lambda line: None
    elif sys.stderr.isatty() and not logs.structured():
        with stderr().status("") as status:
            yield lambda line: status.update(line)
    else:
        yield _now_and_then(doing)


def _now_and_then(doing: str) -> Callable[[str], None]:
    last = time.monotonic()

    def tell(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            logs.say("progress", f"{doing}: {line}")

    return tell
