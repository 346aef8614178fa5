"""The compiled loops: partitions of keys, grouping by partition, the hand-over, and the account of what was delivered.

Importing this module compiles them, or loads what an earlier process has compiled; `symbols.publish` must come first.
None of them needs the interpreter, so that other threads go on meanwhile. Columns are Arrow's: a row of `COLUMN` words
says where they are. Numbers stand for their decimal texts, written where they are wanted, which takes less time than to
read texts from memory.

All of them are in this one module, for what is kept on disk is compiled anew where this file has changed, whatever
others have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, types
from numpy.typing import NDArray

from sinks.digits import write
from sinks.kafka.symbols import PUBLISHED
from sinks.memory import byte, compiled, count_up, half, put, word

COLUMN = 4
"""Words about a column: the addresses of its bytes, of its offsets (int64; 0: it is one of int64 numbers) and of its
validity bits (0: all are valid), and the number of its first row."""

WORDS = 9
"""The size of an rd_kafka_vu_t, one argument of the hand-over: its type, then up to eight words of what it is."""

_PARTITION, _TIMESTAMP, _VALUE, _KEY = (8 * (WORDS * row + 1) for row in range(4))
"""Where the first of the arguments that change are, in bytes: two numbers, then a row for each column."""

ERRORS, ZERO = 512, 256
"""Counters of failures, by librdkafka's number of the reason, which is from -250 to 200; `ZERO` is that of number 0."""

STAMP, SEEN, FAILED = 0, 1, 2
"""What an account begins with: the mark, and how many messages were decided on; then the counters of failures."""

MARK = 0x6461_7461_6765_6E21
"""The mark of an account. What the client's own messages point to begins with an address, which is even."""

_QUEUE_FULL = -184
_ERROR, _OPAQUE = 0, 64
_M = np.uint32(0x5BD1E995)
_SEED = np.uint32(0x9747B28C)
_ROOM = 4
"""Words for the text of a number; an argument has as many that librdkafka does not look at."""

_THREE: Any = types.void(types.intp, types.intp, types.intp)


def _external(name: str, signature: Any) -> Any:
    return types.ExternalFunction(PUBLISHED + name, signature)


_produce = _external("rd_kafka_produceva", types.intp(types.intp, types.intp, types.intp))
_error_code = _external("rd_kafka_error_code", types.int32(types.intp))
_error_destroy = _external("rd_kafka_error_destroy", types.void(types.intp))
_report = _external("report", _THREE)


@compiled()
def _is_valid(bits: int, row: int) -> bool:
    return bits == 0 or (np.int64(byte(bits + (row >> 3))) >> (row & 7)) & 1 != 0


@compiled()
def _murmur2(address: int, length: int) -> np.uint32:
    """Austin Appleby's MurmurHash2, with the seed that Kafka uses; see `partitions` for many numbers at once."""
    found = np.uint32(_SEED ^ np.uint32(length))
    for place in range(0, length - 3, 4):
        part = np.uint32(half(address + place) * _M)
        found = np.uint32(np.uint32(found * _M) ^ np.uint32((part ^ (part >> np.uint32(24))) * _M))
    rest = length & 3
    if rest:
        for place in range(rest):
            found = np.uint32(found ^ (np.uint32(byte(address + length - rest + place)) << np.uint32(8 * place)))
        found = np.uint32(found * _M)
    found = np.uint32((found ^ (found >> np.uint32(13))) * _M)
    return np.uint32(found ^ (found >> np.uint32(15)))


@compiled()
def _partition(address: int, length: int, count: int) -> np.int64:
    return np.int64(_murmur2(address, length) & np.uint32(0x7FFFFFFF)) % count


@compiled("void(int64[::1], int64, int16[::1], int32[::1], int32[::1])")
def place(
    keys: NDArray[np.int64],
    count: int,
    known: NDArray[np.int16],
    partitions: NDArray[np.int32],
    order: NDArray[np.int32],
) -> None:
    """Choose one of `count` partitions for each of n keys, as the Java client does, and group the keys by it.

    `partitions` and `order`, both int32[n], are filled: the partition of each key, -1 without a key, and the rows
    grouped by partition, in their own order within each (a counting sort). `known`, int16[m], remembers for numbers
    below m one more than their partition, 0 where nobody has asked yet.
    """
    content, offsets, bits, before = keys[0], keys[1], keys[2], keys[3]
    starts = np.zeros(count + 2 + _ROOM, np.int64)
    room = np.int64(starts.ctypes.data) + 8 * (count + 2)
    for row in range(len(partitions)):
        at, chosen = before + row, np.int64(-1)
        if _is_valid(bits, at):
            if offsets:
                begin = np.int64(word(offsets + 8 * at))
                chosen = _partition(content + begin, np.int64(word(offsets + 8 * at + 8)) - begin, count)
            else:
                number = word(content + 8 * at)
                is_low = number < np.uint64(len(known))
                if is_low:
                    chosen = np.int64(known[number]) - 1
                if chosen < 0:
                    chosen = _partition(room, write(room, np.int64(number)), count)
                    if is_low:
                        known[number] = chosen + 1
        partitions[row] = chosen
        starts[chosen + 2] += 1
    for group in range(1, count + 2):
        starts[group] += starts[group - 1]
    for row in range(len(partitions)):
        group = partitions[row] + 1
        order[starts[group]] = row
        starts[group] += 1


@compiled()
def _point(target: int, content: int, offsets: int, bits: int, row: int) -> None:
    """Write at `target` the address and the size of an element; the text of a number is written behind them."""
    if not _is_valid(bits, row):
        put(target, np.uint64(0))
        put(target + 8, np.uint64(0))
    elif offsets:
        begin = np.int64(word(offsets + 8 * row))
        put(target, np.uint64(content + begin))
        put(target + 8, np.uint64(np.int64(word(offsets + 8 * row + 8)) - begin))
    else:
        put(target, np.uint64(target + 16))
        put(target + 8, np.uint64(write(target + 16, np.int64(word(content + 8 * row)))))


@compiled(
    "int64(int64, int64[:, ::1], int64, int64[:, ::1], int64[::1], int32[::1], int32[::1], int64, int64, int64[::1])"
)
def hand_over(
    handle: int,
    arguments: NDArray[np.int64],
    varying: int,
    columns: NDArray[np.int64],
    timestamps: NDArray[np.int64],
    partitions: NDArray[np.int32],
    order: NDArray[np.int32],
    first: int,
    last: int,
    refused: NDArray[np.int64],
) -> int:
    """Hand the messages at places `first` to `last` of `order` over, until the queue is full; the place reached.

    `arguments`, int64[k, 9], are those of rd_kafka_produceva: from row `varying` on what is filled in for each message,
    its partition, its timestamp and an element of each of `columns`, int64[c, 4]. What is refused for another reason
    than a full queue is counted in `refused`, int64[512], and passed over.
    """
    address, number = np.int64(arguments.ctypes.data), len(arguments)
    target = address + 8 * WORDS * varying
    # Values and keys by names of their own: what lies in an array would be read again after each call.
    values, value_offsets, value_bits, value_before = columns[0, 0], columns[0, 1], columns[0, 2], columns[0, 3]
    keys, key_offsets, key_bits, key_before = columns[1, 0], columns[1, 1], columns[1, 2], columns[1, 3]
    for at in range(first, last):
        row = np.int64(order[at])
        put(target + _PARTITION, np.uint64(partitions[row]))
        put(target + _TIMESTAMP, np.uint64(timestamps[row]))
        _point(target + _VALUE, values, value_offsets, value_bits, value_before + row)
        _point(target + _KEY, keys, key_offsets, key_bits, key_before + row)
        for extra in range(2, len(columns)):
            # A header has its name before its value.
            where = target + _KEY + 8 * (WORDS * (extra - 1) + 1)
            column = columns[extra]
            _point(where, column[0], column[1], column[2], column[3] + row)
        error = _produce(handle, address, number)
        if error:
            code = _error_code(error)
            _error_destroy(error)
            if code == _QUEUE_FULL:
                return at
            refused[ZERO + code] += 1
    return last


def _on_report(handle: int, message: int, opaque: int) -> None:
    """What librdkafka calls for each message whose fate is decided: counts it in the account that it points to."""
    account = np.int64(word(message + _OPAQUE))
    if account == 0 or np.int64(word(account)) != MARK:
        _report(handle, message, opaque)
        return
    count_up(account + 8 * SEEN)
    error = np.int64(np.int32(half(message + _ERROR)))
    if error:
        count_up(account + 8 * (FAILED + ZERO + error))


try:
    on_report = cfunc(_THREE, cache=True)(_on_report)
except RuntimeError:
    on_report = cfunc(_THREE)(_on_report)
