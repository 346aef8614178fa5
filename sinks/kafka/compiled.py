"""Messages to the producer by compiled code: no object and no call of the interpreter for any single message.

Messages are first grouped by partition: librdkafka then locks one queue and fills one batch at a time, which is most of
what this saves. Values, keys and headers are read where Arrow has them; librdkafka copies each message before the call
for it returns, so nothing has to outlive the hand-over but the accounts.
"""

from __future__ import annotations

import ctypes
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Producer
from numpy.typing import NDArray

from sinks.kafka import symbols
from sinks.kafka.enqueue import WAIT, Handover
from sinks.kafka.headers import HeaderRows
from sinks.kafka.messages import ANY, Messages

Words = NDArray[np.int64]
Places = NDArray[np.int32]

_TOPIC, _PARTITION, _VALUE, _KEY, _OPAQUE, _FLAGS, _TIMESTAMP, _HEADER = 2, 3, 4, 5, 6, 7, 8, 9
_COPY = 2

REMEMBERED = 2**22
"""Ids below this have their partition remembered, in two bytes each: as much as caches hold, without which it takes
as long to look it up as to find it out."""

_ACCOUNTS: list[Words] = []
"""Every account there has been: a message that is under way points to one, and may outlive whoever sent it."""


class Compiled:
    """The hand-over of many messages at once to one producer.

    `partitions` says how many a topic has; where it does not say, the client chooses them, message by message. The
    thread that polls the producer must make this, and be the one that sends. Raises ImportError where numba is missing
    and `Unfit` where the client is not what it is taken for.
    """

    at_once = 16_384
    """Messages that are grouped together, between two polls."""

    groups = True
    """Whether this finds the partitions of messages itself."""

    def __init__(self, producer: Producer, client_id: str, partitions: Mapping[str, int]) -> None:
        self._producer = producer
        self._handle = symbols.handle(producer, client_id)
        self._kernel = kernel(producer, client_id)
        symbols.redirect(self._handle, self._kernel.on_report.address)
        self._partitions = partitions
        self._accounts: dict[str, Words] = {}
        self._told: dict[str, Words] = {}
        self._taken = 0
        self._known: dict[int, NDArray[np.int16]] = {}

    def ready(self, messages: Messages) -> Messages:
        """The messages in the form in which `hand_over` takes them."""
        return messages.columned()

    def hand_over(self, messages: Messages) -> Handover:
        """Hand every message over, in order within each partition; waits for room where the queue is full."""
        done, count = Handover(), len(messages.values)
        rows = messages.headers
        columns = [messages.values, messages.keys, *([] if rows is None else [values for _, values in rows.columns])]
        table = np.array([_located(values) for values in columns], np.int64)
        refused = np.zeros(self._kernel.ERRORS, np.int64)
        with _Topic(self._handle, messages.topic) as topic:
            kept, arguments, varying = self._arguments(topic, messages.topic, rows)
            fixed = (self._handle, arguments, varying, table, np.asarray(messages.timestamps, np.int64))
            placed = self._placed(messages, table[1])
            place = 0
            while (place := self._kernel.hand_over(*fixed, *placed, place, count, refused)) < count:
                began = time.monotonic()
                self._producer.poll(WAIT)
                done.waited += time.monotonic() - began
        del kept
        done.refused = Counter({_reason(code): number for code, number in self._counted(refused)})
        self._taken += count - done.refused.total()
        return done

    def failures(self) -> Iterator[tuple[str, KafkaError, int]]:
        """What has failed since the last call: topic, reason, and how many messages."""
        for topic, account in self._accounts.items():
            now = account[self._kernel.FAILED :].copy()
            yield from ((topic, KafkaError(code), number) for code, number in self._counted(now - self._told[topic]))
            self._told[topic] = now

    @property
    def undecided(self) -> int:
        """Messages of which the client has not said what became of them."""
        return self._taken - sum(int(account[self._kernel.SEEN]) for account in self._accounts.values())

    @property
    def untold(self) -> int:
        """Messages that have failed since the last call of `failures`."""
        known = [*self._accounts.items()]
        return sum(int((account[self._kernel.FAILED :] - self._told[topic]).sum()) for topic, account in known)

    def _counted(self, counters: Words) -> list[tuple[int, int]]:
        return [(at - self._kernel.ZERO, int(counters[at])) for at in np.flatnonzero(counters).tolist()]

    def _placed(self, messages: Messages, keys: Words) -> tuple[Places, Places]:
        """The partition of each message, and the order in which they go."""
        count, known = len(messages.values), self._partitions.get(messages.topic, 0)
        if messages.partition != ANY or not known:
            return np.full(count, messages.partition, np.int32), np.arange(count, dtype=np.int32)
        partitions, order = np.empty(count, np.int32), np.empty(count, np.int32)
        self._kernel.place(keys, known, self._remembered(known), partitions, order)
        return partitions, order

    def _remembered(self, count: int) -> NDArray[np.int16]:
        """What the kernel has found out of `count` partitions so far, to be added to."""
        if count not in self._known:
            self._known[count] = np.zeros(REMEMBERED if count < np.iinfo(np.int16).max else 0, np.int16)
        return self._known[count]

    def _arguments(self, topic: int, name: str, rows: HeaderRows | None) -> tuple[list[bytes], Words, int]:
        """Arguments of the hand-over, what must outlive their use, and the first row that changes by message."""
        constant = [] if rows is None else [(header.encode(), value) for header, value in rows.constant]
        varying = [] if rows is None else [header.encode() for header, _ in rows.columns]
        kept = [part for pair in constant for part in pair if part is not None] + varying
        fixed = [(_TOPIC, topic), (_OPAQUE, self._account(name).ctypes.data), (_FLAGS, _COPY)]
        headers = [(_HEADER, _address(header), _address(value), len(value or b"")) for header, value in constant]
        each = [(_PARTITION,), (_TIMESTAMP,), (_VALUE,), (_KEY,), *((_HEADER, _address(header)) for header in varying)]
        table = np.zeros((len(fixed) + len(headers) + len(each), self._kernel.WORDS), np.int64)
        for row, words in enumerate([*fixed, *headers, *each]):
            table[row, : len(words)] = words
        return kept, table, len(fixed) + len(headers)

    def _account(self, topic: str) -> Words:
        if topic not in self._accounts:
            account = np.zeros(self._kernel.FAILED + self._kernel.ERRORS, np.int64)
            account[self._kernel.STAMP] = self._kernel.MARK
            self._told[topic] = account[self._kernel.FAILED :].copy()
            self._accounts[topic] = account
            _ACCOUNTS.append(account)
        return self._accounts[topic]


def kernel(producer: Producer, client_id: str) -> ModuleType:
    """The compiled code; the first call of a process loads it, in a second, or a few where nothing is kept on disk.

    Raises ImportError where numba is missing, `Unfit` where `producer` is not what it is taken for.
    """
    import sys
    from importlib import import_module

    name = "sinks.kafka.kernel"
    if name not in sys.modules:
        symbols.publish(symbols.report_of(symbols.handle(producer, client_id)))
    return import_module(name)


class _Topic:
    """librdkafka's handle of a topic, as long as the context."""

    def __init__(self, handle: int, name: str) -> None:
        own = symbols.library()
        self._handle = own.rd_kafka_topic_new(ctypes.c_void_p(handle), name.encode(), None)
        if not self._handle:
            raise KafkaException(KafkaError(own.rd_kafka_last_error()))

    def __enter__(self) -> int:
        return int(self._handle)

    def __exit__(self, *_: object) -> None:
        symbols.library().rd_kafka_topic_destroy(ctypes.c_void_p(self._handle))


def _located(values: Any) -> tuple[int, int, int, int]:
    """Where an array is, in the words that the kernel calls a column."""
    valid, *own = values.buffers()
    content, offsets = own[-1], own[0].address if len(own) > 1 else 0
    # Null is what a missing value has for an address: an empty one needs another, whatever is there.
    address = (content.address if content is not None else 0) or offsets
    return address, offsets, valid.address if valid is not None and values.null_count else 0, values.offset


def _address(value: bytes | None) -> int:
    return ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p).value or 0


def _reason(code: int) -> str:
    return f"Unable to produce message: {KafkaError(code).str()}"
