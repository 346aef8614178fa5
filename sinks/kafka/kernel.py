"""The compiled loops: partitions of keys, grouping by partition, the hand-over, and the account of what was delivered.

Importing this module compiles them, or loads what an earlier process has compiled; `symbols.publish` must come first.
None of them needs the interpreter, so that other threads go on meanwhile. Columns of byte strings are Arrow's: a row of
`COLUMN` words says where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sinks.kafka.symbols import PUBLISHED

COLUMN = 4
"""Words about a column: the addresses of its bytes, its offsets (int64) and its validity bits (0: all are valid), and
the number of its first row."""

WORDS = 9
"""The size of an rd_kafka_vu_t, one argument of the hand-over: its type, then up to eight words of what it is."""

PARTITION, TIMESTAMP, FIXED = 0, 1, 2
"""Rows of the arguments that change: two numbers, then a row for each column."""

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

_THREE: Any = types.void(types.intp, types.intp, types.intp)


def _external(name: str, signature: Any) -> Any:
    return types.ExternalFunction(PUBLISHED + name, signature)


_produce = _external("rd_kafka_produceva", types.intp(types.intp, types.intp, types.intp))
_error_code = _external("rd_kafka_error_code", types.int32(types.intp))
_error_destroy = _external("rd_kafka_error_destroy", types.void(types.intp))
_report = _external("report", _THREE)


def _compiled(signature: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Compiled without the interpreter's lock, and kept on disk where there is a folder that takes it."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except RuntimeError:
            return njit(signature, nogil=True)(function)

    return compiled


def _reader(bits: int) -> Any:
    """A function that reads so many bits at an address, aligned or not."""
    word = ir.IntType(bits)

    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], word.as_pointer()), align=1)

        return types.Integer.from_bitwidth(bits, False)(types.intp), generate

    return intrinsic(read)


_byte, _half, _word = _reader(8), _reader(32), _reader(64)


def _counter() -> Any:
    """A function that adds one to the word at an address; threads may do so at the same time, for several may poll."""
    word = ir.IntType(64)

    def count(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.atomic_rmw("add", builder.inttoptr(arguments[0], word.as_pointer()), word(1), "monotonic")

        return types.int64(types.intp), generate

    return intrinsic(count)


_count = _counter()


@_compiled()
def _is_null(column: NDArray[np.int64], row: int) -> bool:
    bits = column[2]
    return bits != 0 and not (np.int64(_byte(bits + (row >> 3))) >> (row & 7)) & 1


@_compiled()
def _murmur2(address: int, length: int) -> np.uint32:
    """Austin Appleby's MurmurHash2, with the seed that Kafka uses; see `partitions` for many numbers at once."""
    found = np.uint32(_SEED ^ np.uint32(length))
    for place in range(0, length - 3, 4):
        word = np.uint32(_half(address + place) * _M)
        found = np.uint32(np.uint32(found * _M) ^ np.uint32((word ^ (word >> np.uint32(24))) * _M))
    rest = length & 3
    if rest:
        for place in range(rest):
            found = np.uint32(found ^ (np.uint32(_byte(address + length - rest + place)) << np.uint32(8 * place)))
        found = np.uint32(found * _M)
    found = np.uint32((found ^ (found >> np.uint32(13))) * _M)
    return np.uint32(found ^ (found >> np.uint32(15)))


@_compiled("void(int64[::1], int64, int64[::1], int64[::1])")
def place(keys: NDArray[np.int64], count: int, partitions: NDArray[np.int64], order: NDArray[np.int64]) -> None:
    """Choose one of `count` partitions for each of n keys, as the Java client does, and group the keys by it.

    `partitions` and `order`, both int64[n], are filled: the partition of each key, -1 without a key, and the rows
    grouped by partition, in their own order within each (a counting sort).
    """
    starts = np.zeros(count + 2, np.int64)
    for row in range(len(partitions)):
        at = keys[3] + row
        if _is_null(keys, at):
            chosen = np.int64(-1)
        else:
            begin = np.int64(_word(keys[1] + 8 * at))
            length = np.int64(_word(keys[1] + 8 * at + 8)) - begin
            chosen = np.int64(_murmur2(keys[0] + begin, length) & np.uint32(0x7FFFFFFF)) % count
        partitions[row] = chosen
        starts[chosen + 2] += 1
    for group in range(1, count + 2):
        starts[group] += starts[group - 1]
    for row in range(len(partitions)):
        group = partitions[row] + 1
        order[starts[group]] = row
        starts[group] += 1


@_compiled(
    "int64(int64, int64[:, ::1], int64, int64[:, ::1], int64[::1], int64[::1], int64[::1], int64, int64, int64[::1])"
)
def hand_over(
    handle: int,
    arguments: NDArray[np.int64],
    varying: int,
    columns: NDArray[np.int64],
    timestamps: NDArray[np.int64],
    partitions: NDArray[np.int64],
    order: NDArray[np.int64],
    first: int,
    last: int,
    refused: NDArray[np.int64],
) -> int:
    """Hand the messages at places `first` to `last` of `order` over, until the queue is full; the place reached.

    `arguments`, int64[k, 9], are those of rd_kafka_produceva: from row `varying` on what is filled in for each message,
    its partition, its timestamp and an element of each of `columns`, int64[c, 4]. What is refused for another reason
    than a full queue is counted in `refused`, int64[512], and passed over.
    """
    address = arguments.ctypes.data
    for at in range(first, last):
        row = order[at]
        arguments[varying + PARTITION, 1] = partitions[row]
        arguments[varying + TIMESTAMP, 1] = timestamps[row]
        for number in range(len(columns)):
            column = columns[number]
            target = arguments[varying + FIXED + number]
            # The last two words: a header has its name before them.
            begin = np.int64(_word(column[1] + 8 * (column[3] + row)))
            end = np.int64(_word(column[1] + 8 * (column[3] + row) + 8))
            place = 2 if target[0] == 9 else 1
            missing = _is_null(column, column[3] + row)
            target[place] = 0 if missing else column[0] + begin
            target[place + 1] = 0 if missing else end - begin
        error = _produce(handle, address, len(arguments))
        if error:
            code = _error_code(error)
            _error_destroy(error)
            if code == _QUEUE_FULL:
                return at
            refused[ZERO + code] += 1
    return last


def _on_report(handle: int, message: int, opaque: int) -> None:
    """What librdkafka calls for each message whose fate is decided: counts it in the account that it points to."""
    account = np.int64(_word(message + _OPAQUE))
    if account == 0 or np.int64(_word(account)) != MARK:
        _report(handle, message, opaque)
        return
    _count(account + 8 * SEEN)
    error = np.int64(np.int32(_half(message + _ERROR)))
    if error:
        _count(account + 8 * (FAILED + ZERO + error))


try:
    on_report = cfunc(_THREE, cache=True)(_on_report)
except RuntimeError:
    on_report = cfunc(_THREE)(_on_report)
