"""Messages to the producer, one call of `produce()` a message: what works everywhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from operator import length_hint
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Producer
from numpy.typing import NDArray

from sinks.kafka.headers import HeaderRows
from sinks.kafka.messages import Messages

WAIT = 0.005
"""Seconds of waiting for room in the queue before the next try."""


@dataclass(slots=True)
class Handover:
    """How messages were taken: by reason, how many the client refused for good, and seconds of waiting for room."""

    refused: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0


class OneByOne:
    """The hand-over of messages one after the other, as Python objects."""

    at_once = 1024
    """Messages between two polls: others wait for the interpreter's lock until a poll gives it up, for half a ms."""

    groups = False
    """The client finds the partition of each message, unless that is known beforehand."""

    undecided = untold = 0
    """The client's callback tells of each failure."""

    def __init__(self, producer: Producer, report: Callable[..., None] | None = None) -> None:
        self._producer = producer
        self._report = report

    def ready(self, messages: Messages) -> Messages:
        """The messages in the form in which `hand_over` takes them."""
        return messages.listed()

    def hand_over(self, messages: Messages) -> Handover:
        """Hand every message over, in order; waits for room where the queue is full."""
        columns = (messages.values, messages.keys, messages.timestamps, messages.partition, messages.headers)
        return enqueue(self._producer, messages.topic, *columns, report=self._report)

    def failures(self) -> Iterator[tuple[str, KafkaError, int]]:
        """Nothing: the client's callback tells of each."""
        return iter(())


def enqueue(
    producer: Producer,
    topic: str,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    timestamps: Sequence[int] | NDArray[np.int64],
    partition: int = -1,
    headers: HeaderRows | None = None,
    report: Callable[..., None] | None = None,
) -> Handover:
    """Hand every message over, in order; `timestamps` are milliseconds since the epoch, a value of None is a tombstone.

    They go to `partition`, or each to the one that the client chooses by its key (-1). `report` is called with the fate
    of each of them.

    Where the producer's queue is full, waits for room and goes on at the message that was refused, so nothing is lost
    and nothing overtakes. Refused for good are messages that are too large, or all that are left where the producer
    itself is out of order.
    """
    done = Handover()
    left = iter(values)
    # The loop over messages runs in C: with a Python loop around it, produce() is reached 1.5 M times a second, so 2.2.
    nothing = repeat(None)
    # Each header costs the client about 150 ns a message.
    rest: tuple[Iterable[Any], ...] = (timestamps,) if headers is None else (timestamps, headers)
    calls = map(producer.produce, repeat(topic), left, keys, repeat(partition), repeat(report), nothing, *rest)
    drain = deque[None](maxlen=0).extend
    while True:
        try:
            drain(calls)
            return done
        except BufferError:
            place = len(values) - length_hint(left) - 1
            more = () if headers is None else (headers.at(place),)
            own: tuple[Any, ...] = (partition, report, None, timestamps[place], *more)
            one = partial(producer.produce, topic, values[place], keys[place], *own)
            began = time.monotonic()
            done.refused.update(_insist(producer, one))
            done.waited += time.monotonic() - began
        except KafkaException as error:
            done.refused[error.args[0].str()] += 1


def _insist(producer: Producer, produce: Callable[[], None]) -> Counter[str]:
    while True:
        producer.poll(WAIT)
        try:
            produce()
            return Counter()
        except BufferError:
            continue
        except KafkaException as error:
            return Counter([error.args[0].str()])
