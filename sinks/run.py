"""Which facts go to a sink, what an output remembers of them, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Past:
    """What an output remembers of its run: the interval (microseconds since the epoch, UTC), where it passes from one
    sink to another, if it does, and what facts were read from, if they were.
    """

    start: int
    end: int
    until: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Which facts these are: the same run gives the same facts.

    `start` and `end` are microseconds since the epoch, UTC; `shard` counts from 1 to `shards`. `truth` is a JSON text:
    what is true of the facts and does not stand in them; sinks that write files put it beside them. `whole` is the run
    that this is a part of, where several sinks share it, and `origin` a text that says what facts were read from, so
    that a later process can read the same; both are kept with the output.
    """

    scenario: str
    digest: str
    seed: int
    start: int
    end: int
    shard: int = 1
    shards: int = 1
    truth: str | None = None
    origin: str | None = None
    whole: Past | None = None

    @property
    def live(self) -> bool:
        """Whether it is the second of two parts."""
        return self.whole is not None and self.end == self.whole.end


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the facts: `facts` handed over and committed, per stream, in the order of the streams.

    `acknowledged` counts those of which the target has said that it has them, `failed` the others by reason, `bytes`
    what was written out and `files` where there are files. `until` is the last watermark (microseconds; None before
    the first).
    """

    facts: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    files: int = 0
    acknowledged: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    until: int | None = None

    @property
    def total(self) -> int:
        """The facts of all streams."""
        return sum(self.facts.values())
