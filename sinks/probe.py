"""What a measurement wants to hear of a sink while facts leave on a schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Instants = NDArray[np.int64]

Tell = Callable[["Instants", int, int, int], None]
"""Takes when some records were due, when they came, how many each of them stands for, and how many came in all."""


class Probe(Protocol):
    """Hears of facts, by the instants at which they were due: microseconds since the epoch, int64[n], ascending."""

    every: int
    """Where facts are acknowledged one by one: of so many facts one is watched, so that watching costs little."""

    def left(self, due: Instants) -> None:
        """Facts have been handed over."""

    def acknowledged(self, due: Instants) -> None:
        """The target has said that it has these facts."""

    def acknowledged_one(self, due: int) -> None:
        """The same for a single fact; may be called from any thread."""


class Listener(Protocol):
    """Reads back what a sink writes, beginning with what comes from now on; picklable, for a process of its own."""

    def listen(self, ready: Callable[[], None], tell: Tell, stop: threading.Event) -> None:
        """Call `ready` once nothing can be missed any more, then `tell` of what comes, until `stop` is set."""
