"""SIGINT and SIGTERM: the first ends the run cleanly, a second SIGINT at once; other commands clear up and end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from sim.cli.terminal import logs

ABORTED, TERMINATED = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM has come, and whoever has left something behind is to clear it away."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt, unless somebody else handles it."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


class Interruption:
    """Inside the context the first SIGINT or SIGTERM sets `stop`; `number` says which it was.

    Outside the main thread, where Python allows no handlers, it only holds the event.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, 0 where none came."""
        return 128 + self.number if self.number is not None else 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            os._exit(ABORTED)  # no finally, no flush: that is what a second Ctrl-C asks for
        if self.number is None and logs.structured():
            name = signal.Signals(number).name
            # Past Python's buffers, which the interrupted code may be in the middle of.
            line = logs.line_of("info", "stopping", f"{name}: finishing what is in hand", {"signal": name})
            os.write(2, line.encode())
        self.number = self.number or number
        self.stop.set()
