"""Waiting for brokers or a registry: said at first after a moment, then every now and then, and when it is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sinks.contract import Stopped

LOG = logging.getLogger("datagen.sinks")

FIRST = 2.0
"""Seconds after which it is first said that brokers are waited for."""

AGAIN = 10.0
"""Seconds between two remarks."""

STALLED = 5.0
"""Seconds without an acknowledgement after which a watch takes brokers for absent."""

_LOOK = 0.5

_NOISE = 16
_GAINS = 3
"""The client library counts its own complaints among what is under way, so a few messages more or less say nothing:
brokers are back when many are acknowledged, or none is left, or some again and again.
"""

WAITING, GOING_ON = {"event": "waiting"}, {"event": "going_on"}

_PAUSE = 0.5
"""Seconds between two attempts."""

Found = TypeVar("Found")


class Waiting:
    """What is said of waiting for `target`, of which it is said that it `returned`; `clock` gives seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        target: str = "the brokers",
        returned: str = "the brokers are back",
    ) -> None:
        self._clock = clock
        self._target = target
        self._returned = returned
        self._since: float | None = None
        self._said: float | None = None

    def still(self, reason: str, since: float | None = None) -> None:
        """The target is being waited for, because of `reason`: since the first of these calls, or the given moment."""
        now = self._clock()
        if self._since is None:
            self._since = now if since is None else since
        due = self._since + FIRST if self._said is None else self._said + AGAIN
        if now >= due:
            self._said = now
            LOG.warning("waiting for %s since %.0f s: %s", self._target, now - self._since, reason, extra=WAITING)

    def over(self) -> None:
        """The target answers, which is said where it was said that it does not."""
        since, said = self._since, self._said
        self._since = self._said = None
        if said is not None and since is not None:
            LOG.info("%s after %.0f s", self._returned, self._clock() - since, extra=GOING_ON)


class Patience:
    """How long something is tried again that fails for the time being: `timeout` seconds, or until `stop` is set."""

    def __init__(
        self,
        waiting: Waiting,
        timeout: float,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = waiting
        self._timeout = timeout
        self._stop = stop or threading.Event()
        self._clock = clock

    def outlast(self, attempt: Callable[[], Found], passing: Callable[[Exception], str]) -> Found:
        """What `attempt` gives in the end; `passing` says why another attempt is worth it, or nothing where it is not.

        Raises the error of the last attempt, and `Stopped` where the run is to end meanwhile.
        """
        deadline = self._clock() + self._timeout
        while True:
            try:
                found = attempt()
                break
            except Exception as error:
                reason = passing(error)
                if not reason or self._clock() >= deadline:
                    raise
                self._waiting.still(reason)
            if self._stop.wait(min(_PAUSE, max(0.0, deadline - self._clock()))):
                raise Stopped
        self._waiting.over()
        return found


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
        self._best = self._gains = 0
        self._moved = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="datagen-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, sound: bool) -> None:
        """Look no more; `sound`: everything was acknowledged in the end."""
        self.abandon()
        if self._thread.is_alive():
            self._thread.join()
            if sound:
                self._waiting.over()

    def abandon(self) -> None:
        """Look no more, without waiting for the end of the present look."""
        self._over.set()

    def restart(self) -> None:
        """The account begins anew: what a transaction had sent was taken back."""
        self._best = self._account()[0]

    def look(self) -> None:
        """Compare with the most that was ever acknowledged."""
        acknowledged, queued = self._account()
        gain = acknowledged - self._best
        if gain > 0:
            self._best, self._gains = acknowledged, self._gains + 1
            if gain > _NOISE or not queued or self._gains >= _GAINS:
                self._waiting.over()
        if gain > 0 or not queued:
            self._moved = self._clock()
        elif self._clock() - self._moved >= STALLED:
            self._gains = 0
            self._waiting.still(self._reason() or "nothing is acknowledged", self._moved)

    def _run(self) -> None:
        while not self._over.wait(_LOOK):
            self.look()
