"""The limit of any hand-over to Kafka: a bare compiled loop over messages that are ready, addresses and all.

The messages are grouped by partition beforehand, in chunks, and everything that librdkafka is told of them lies in flat
arrays. What is left is one call of the library a message, and polling where its queue is full.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import Producer
from numba import njit, types
from numpy.typing import NDArray

from sinks.kafka import kernel, symbols
from sinks.kafka.compiled import _located
from sinks.kafka.messages import Messages, column
from sinks.kafka.symbols import PUBLISHED

Words = NDArray[np.int64]

CHUNK = 16_384
_TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _TIMESTAMP, _COPY = 2, 3, 4, 5, 7, 8, 2

_produce: Any = types.ExternalFunction(PUBLISHED + "rd_kafka_produceva", types.intp(types.intp, types.intp, types.intp))
_destroy: Any = types.ExternalFunction(PUBLISHED + "rd_kafka_error_destroy", types.void(types.intp))


@dataclass(frozen=True, slots=True)
class Ready:
    """Messages of one topic, grouped by partition: a row each of partition, timestamp, value, size, key, size."""

    topic: str
    rows: Words
    source: Messages
    keys: Any


def ready(messages: Messages, partitions: int) -> list[Ready]:
    """Messages in chunks, each of them grouped."""
    made = []
    for first in range(0, len(messages.values), CHUNK):
        part = messages.rows(first, first + CHUNK)
        keys = column(part.keys)
        chosen, order = np.empty(len(part.values), np.int32), np.empty(len(part.values), np.int32)
        kernel.place(np.array(_located(part.keys), np.int64), partitions, np.zeros(0, np.int16), chosen, order)
        rows = np.stack([chosen, np.asarray(part.timestamps), *_spans(part.values), *_spans(keys)], axis=1)
        made.append(Ready(messages.topic, np.ascontiguousarray(rows[order]), part, keys))
    return made


def _spans(array: Any) -> tuple[Words, Words]:
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    return array.buffers()[2].address + offsets[:-1], np.diff(offsets)


def send(producer: Producer, handle: int, prefix: str, chunks: Sequence[Ready]) -> None:
    """Hand them over, and wait until all are acknowledged."""
    own = symbols.library()
    for chunk in chunks:
        topic = own.rd_kafka_topic_new(ctypes.c_void_p(handle), f"{prefix}{chunk.topic}".encode(), None)
        table = np.zeros((6, kernel.WORDS), np.int64)
        table[:, 0] = (_TOPIC, _FLAGS, _PARTITION, _TIMESTAMP, _VALUE, _KEY)
        table[:2, 1] = (topic, _COPY)
        place = 0
        while (place := _loop(handle, table, chunk.rows, place)) < len(chunk.rows):
            producer.poll(0.005)
        producer.poll(0)
        own.rd_kafka_topic_destroy(ctypes.c_void_p(topic))
    if producer.flush():
        raise RuntimeError("the broker has not acknowledged everything")


@njit(nogil=True)
def _loop(handle: int, table: Words, rows: Words, first: int) -> int:
    address = table.ctypes.data
    for at in range(first, len(rows)):
        row = rows[at]
        table[2, 1], table[3, 1] = row[0], row[1]
        table[4, 1], table[4, 2] = row[2], row[3]
        table[5, 1], table[5, 2] = row[4], row[5]
        error = _produce(handle, address, 6)
        if error:
            _destroy(error)
            return at
    return len(rows)


def size(chunks: Sequence[Ready]) -> float:
    """The mean size of a value in bytes."""
    return sum(chunk.source.bytes for chunk in chunks) / sum(len(chunk.rows) for chunk in chunks)


def listed(chunks: Sequence[Ready]) -> list[Messages]:
    """The same messages as Python objects."""
    return [chunk.source.listed() for chunk in chunks]
