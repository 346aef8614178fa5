"""Relays: a thread that takes items from a bounded queue, so that two stages of a run overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL = 0.1


class Relay(Generic[T]):
    """Calls `work` for every item that was put, in order, on a thread of its own.

    It is over once `stop` is set or `work` has raised: then nothing more is taken, not even what is queued. `error` is
    what `work` raised.
    """

    def __init__(self, work: Callable[[T], None], stop: threading.Event, depth: int, name: str) -> None:
        self.error: Exception | None = None
        self._work = work
        self._stop = stop
        self._queue: queue.Queue[T | None] = queue.Queue(depth)
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def over(self) -> bool:
        """True once nothing more will be taken."""
        return self._stop.is_set() or self._failed.is_set()

    def start(self) -> None:
        """Begin to take items."""
        self._thread.start()

    def put(self, item: T | None) -> bool:
        """Queue an item, waiting for room; False where it will not be taken any more."""
        while not self.over:
            # Waiting on an event here could deadlock with a signal handler that sets it on this very thread.
            with suppress(queue.Full):
                self._queue.put(item, timeout=_POLL)
                return True
        return False

    def give_up(self) -> None:
        """Take nothing more."""
        self._failed.set()

    def finish(self) -> None:
        """Wait until everything queued was taken, or the relay is over."""
        self.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._get()) is not None:
                self._work(item)
        except Exception as error:
            self.error = error
            self._failed.set()

    def _get(self) -> T | None:
        while not self.over:
            with suppress(queue.Empty):
                return self._queue.get(timeout=_POLL)
        return None
