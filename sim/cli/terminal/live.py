"""A live view of topics: per topic the records seen, their rate, and the last one."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.cli.terminal.show import short

if TYPE_CHECKING:
    from rich.table import Table

WINDOW = 3.0
"""Seconds over which the rate of a topic is taken."""

_REFRESH = 0.25
_LINE = 2.0


@dataclass(slots=True)
class Topic:
    """What has been seen of one topic."""

    name: str
    records: int = 0
    last: str = ""
    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    def add(self, records: int, last: str, now: float) -> None:
        """Count records that have arrived, the last of which is `last`; `now` in seconds."""
        self.records += records
        self.last = last
        self._seen.append((now, self.records))

    def rate(self, now: float) -> float:
        """Records per second over the last few seconds."""
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        return (self.records - before) / max(1e-9, min(WINDOW, now - since))


class Topics:
    """All topics, in the order in which they are given; times count from its creation."""

    def __init__(self, names: list[str], now: Callable[[], float] = time.monotonic) -> None:
        self.topics = {name: Topic(name) for name in names}
        self._now = now
        self._began = now()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._began

    @property
    def records(self) -> int:
        """Records over all topics."""
        return sum(topic.records for topic in self.topics.values())

    def add(self, name: str, records: int, last: str) -> None:
        """Count records of a topic."""
        self.topics[name].add(records, last, self.elapsed)

    def table(self, title: str) -> Table:
        """The view for a terminal."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
        table.add_column("topic", no_wrap=True)
        table.add_column("records", justify="right", no_wrap=True)
        table.add_column("records/s", justify="right", no_wrap=True)
        table.add_column("last record", ratio=1, no_wrap=True, overflow="ellipsis")
        for topic in self.topics.values():
            table.add_row(topic.name, f"{topic.records:,}", short(topic.rate(self.elapsed)), Text(topic.last))
        return table

    def line(self) -> str:
        """The view where there is no terminal: counts, and the last record of the busiest topic."""
        counts = "  ".join(f"{topic.name} {topic.records:,}" for topic in self.topics.values())
        busiest = max(self.topics.values(), key=lambda topic: topic.records)
        return f"{self.elapsed:5.1f} s  {counts}  last of {busiest.name}: {busiest.last[:120]}"


@contextmanager
def view(topics: Topics, title: str) -> Iterator[Callable[[], None]]:
    """A function to be called often, which refreshes the view when it is due: in place, or as a line every 2 s."""
    last = -_LINE

    def lines() -> None:
        nonlocal last
        if topics.elapsed - last >= _LINE:
            last = topics.elapsed
            print(topics.line(), flush=True)

    if not sys.stdout.isatty():
        print(title, flush=True)
        yield lines
        print(topics.line(), flush=True)
        return
    from rich.live import Live

    def refresh() -> None:
        nonlocal last
        if topics.elapsed - last >= _REFRESH:
            last = topics.elapsed
            live.update(topics.table(title), refresh=True)

    with Live(topics.table(title), auto_refresh=False) as live:
        yield refresh
        live.update(topics.table(title), refresh=True)
