"""Encoding and sending, each on a thread of its own, so that the two overlap with each other and with the simulation.

Encoding runs outside the interpreter's lock, sending holds it: on two cores the overlap is worth a third of the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sim.batch import Batch
from sinks.kafka.messages import Messages

AHEAD = 3
"""Slices that may be under way: some tens of megabytes at most."""


class Pipeline:
    """Takes slices of a window, encodes them and sends them, in order.

    `put` returns before a slice is sent, and waits where too many are under way. After an error nothing more is
    sent, and every later `put` raises it; `close` waits for what is under way and returns it.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[Batch]], list[Messages]],
        send: Callable[[Messages], None],
    ) -> None:
        self._encode = encode
        self._send = send
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="datagen-encode")
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="datagen-send")
        self._under_way: deque[Future[None]] = deque()
        self._error: Exception | None = None

    def put(self, group: Sequence[Batch]) -> None:
        """Take the next slice."""
        encoded = self._encoder.submit(self._encode, group)
        self._under_way.append(self._sender.submit(self._forward, encoded))
        while len(self._under_way) > AHEAD:
            self._under_way.popleft().result()
        if self._error:
            raise self._error

    def close(self) -> Exception | None:
        """Send what is under way, and end. Returns the error that kept anything from being sent."""
        self._sender.shutdown()
        self._encoder.shutdown()
        return self._error

    def _forward(self, encoded: Future[list[Messages]]) -> None:
        if self._error:
            return
        try:
            for messages in encoded.result():
                self._send(messages)
        except Exception as error:
            self._error = error
