"""The two ways in which messages go over to the producer, and when which is taken."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Protocol

from confluent_kafka import KafkaError, Producer

from sim.errors import MissingExtra, SinkError
from sinks.kafka.compiled import Compiled, kernel
from sinks.kafka.enqueue import Handover, OneByOne
from sinks.kafka.messages import Messages
from sinks.kafka.symbols import Unfit

LOG = logging.getLogger("datagen.sinks")

AUTO, COMPILED, PYTHON = WAYS = ("auto", "compiled", "python")
"""What `enqueue=` chooses from."""

ENOUGH = 100_000
"""Messages from which on compiled code is worth loading: a second, in which `produce()` takes several times as many."""


class Way(Protocol):
    """How messages are handed over, `at_once` at a time between two polls."""

    at_once: int
    groups: bool

    def ready(self, messages: Messages) -> Messages:
        """The messages in the form in which `hand_over` takes them."""

    def hand_over(self, messages: Messages) -> Handover:
        """Hand every message over, waiting for room where the queue is full."""

    def failures(self) -> Iterator[tuple[str, KafkaError, int]]:
        """What has failed since the last call, as far as this way learns of it: topic, reason, number of messages."""

    @property
    def undecided(self) -> int:
        """Messages of which this way has yet to learn what became of them."""

    @property
    def untold(self) -> int:
        """Messages that have failed since the last call of `failures`."""


class Ways:
    """Which way a producer's messages go now: `produce()`, until compiled code is loaded where that is wanted.

    Changing between them changes nothing in the topics: both put the same bytes into the same queues of the client.
    Raises MissingExtra or SinkError where `choice` is `compiled` and cannot be had.
    """

    def __init__(self, choice: str, producer: Producer, client_id: str, partitions: Mapping[str, int]) -> None:
        self.way: Way = OneByOne(producer)
        self._given = (producer, client_id)
        self._partitions = partitions
        self._loading: Future[object] | None = None
        self._wanted = choice == AUTO
        if choice == COMPILED:
            try:
                self.way = Compiled(*self._given, partitions)
            except ImportError:
                raise MissingExtra("fast", "enqueue=compiled") from None
            except Unfit as reason:
                raise SinkError(f"enqueue=compiled is not possible here: {reason}") from None

    def after(self, handed: int) -> Way:
        """The way for the next messages, after so many."""
        if not self._wanted or handed < ENOUGH:
            return self.way
        if self._loading is None:
            # Elsewhere, so that messages go on meanwhile.
            loader = ThreadPoolExecutor(1, "datagen-compiler")
            self._loading = loader.submit(kernel, *self._given)
            loader.shutdown(wait=False)
        if self._loading.done():
            self._wanted = False
            self._take_up(self._loading)
        return self.way

    def _take_up(self, loading: Future[object]) -> None:
        try:
            loading.result()
            self.way = Compiled(*self._given, self._partitions)
        except ImportError:
            tell_slow("numba is not installed (pip install 'datagen[fast]')")
        except Exception as reason:
            # Whatever a compiler has to say, it is no reason to end a run that goes well without it.
            tell_slow(str(reason).partition("\n")[0])


@cache
def tell_slow(reason: str) -> None:
    """Say, once, that messages go the slow way, and why."""
    LOG.warning("messages go to Kafka one by one, at a third of the speed: %s", reason)


def check(choice: str) -> None:
    """Raise MissingExtra where `choice` is `compiled` and numba is not installed."""
    if choice == COMPILED and find_spec("numba") is None:
        raise MissingExtra("fast", "enqueue=compiled")
