"""Waiting for brokers: said at first after a moment, then every now and then, and once more when it is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger("datagen.sinks")

FIRST = 2.0
"""Seconds after which it is first said that brokers are waited for."""

AGAIN = 10.0
"""Seconds between two remarks."""

_LOOK = 0.5

WAITING, GOING_ON = {"event": "waiting"}, {"event": "going_on"}


class Waiting:
    """What is said of waiting; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._said: float | None = None

    def still(self, reason: str, since: float | None = None) -> None:
        """Brokers are being waited for, because of `reason`: since the first of these calls, or the given moment."""
        now = self._clock()
        if self._since is None:
            self._since = now if since is None else since
        due = self._since + FIRST if self._said is None else self._said + AGAIN
        if now >= due:
            self._said = now
            LOG.warning("waiting for the brokers since %.0f s: %s", now - self._since, reason, extra=WAITING)

    def over(self) -> None:
        """They answer, which is said where it was said that they do not."""
        since, said = self._since, self._said
        self._since = self._said = None
        if said is not None and since is not None:
            LOG.info("the brokers are back after %.0f s", self._clock() - since, extra=GOING_ON)


class Watch:
    """Looks, on a thread of its own, whether brokers acknowledge anything while there is something to acknowledge.

    `account` gives the messages that were acknowledged so far and those that are under way, `reason` what the client
    library has last complained of.
    """

    def __init__(
        self,
        waiting: Waiting,
        account: Callable[[], tuple[int, int]],
        reason: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = waiting
        self._account = account
        self._reason = reason
        self._clock = clock
        self._best = 0
        self._moved = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="datagen-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, after a last look at what was acknowledged in the end."""
        self.abandon()
        if self._thread.is_alive():
            self._thread.join()
            self._note(self._account()[0])

    def abandon(self) -> None:
        """Look no more, without waiting for the end of the present look."""
        self._over.set()

    def restart(self) -> None:
        """The account begins anew: what a transaction had sent was taken back."""
        self._best = self._account()[0]

    def look(self) -> None:
        """Compare with the most that was ever acknowledged."""
        acknowledged, queued = self._account()
        self._note(acknowledged)
        if not queued:
            self._moved = self._clock()
        elif self._clock() - self._moved >= FIRST:
            self._waiting.still(self._reason() or "nothing is acknowledged", self._moved)

    def _note(self, acknowledged: int) -> None:
        if acknowledged > self._best:
            self._best, self._moved = acknowledged, self._clock()
            self._waiting.over()

    def _run(self) -> None:
        while not self._over.wait(_LOOK):
            self.look()
