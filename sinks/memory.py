"""Memory by its addresses, aligned or not, and bits, for compiled code: what neither NumPy nor Numba has a word for.

What is kept of compiled code on disk is compiled anew where the file of a function has changed, whatever others have: a
change here is one of the kernels that use it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def compiled(signature: str | None = None, inline: Literal["never", "always"] = "never") -> Callable[[Any], Any]:
    """Compiled without the interpreter's lock, and kept on disk where there is a folder that takes it."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, nogil=True, cache=True, inline=inline)(function)
        except RuntimeError:
            return njit(signature, nogil=True, inline=inline)(function)

    return compiled


inlined = compiled(inline="always")
"""For the parts of a loop: a call would take as long as what it is for."""


def _reader(bits: int) -> Any:
    size = ir.IntType(bits)

    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], size.as_pointer()), align=1)

        return types.Integer.from_bitwidth(bits, False)(types.intp), generate

    return intrinsic(read)


def _real_reader() -> Any:
    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], ir.DoubleType().as_pointer()), align=1)

        return types.float64(types.intp), generate

    return intrinsic(read)


def _writer() -> Any:
    def write(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            builder.store(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.intp, types.uint64), generate

    return intrinsic(write)


def _counter() -> Any:
    def count(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            # Threads may do so at the same time, for several may poll.
            return builder.atomic_rmw("add", builder.inttoptr(arguments[0], _WORD.as_pointer()), _WORD(1), "monotonic")

        return types.int64(types.intp), generate

    return intrinsic(count)


def _zeros(count_zeros: str) -> Any:
    def count(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, count_zeros)(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate

    return intrinsic(count)


byte, half, word = _reader(8), _reader(32), _reader(64)
real = _real_reader()
put = _writer()
count_up = _counter()
leading_zeros, trailing_zeros = _zeros("ctlz"), _zeros("cttz")


@inlined
def bit(bits: int, row: int) -> np.int64:
    """A bit of those at the address `bits`, the lowest of each byte first."""
    return (np.int64(byte(bits + (row >> 3))) >> (row & 7)) & 1


@inlined
def copy_padded(at: int, source: int, length: int) -> np.int64:
    """Copy bytes behind which others may be read, eight at a time; the address behind them."""
    for place in range(0, length, 8):
        put(at + place, word(source + place))
    return np.int64(at + length)


@inlined
def copy(at: int, source: int, length: int) -> np.int64:
    """Copy bytes, and read no others; the address behind them. Up to eight bytes at `at` may be written to."""
    if length >= 8:
        for place in range(0, length - 8, 8):
            put(at + place, word(source + place))
        put(at + length - 8, word(source + length - 8))
    elif length:
        put(at, short(source, length))
    return np.int64(at + length)


@inlined
def short(source: int, length: int) -> np.uint64:
    """From one to seven bytes as a word, the first in its lowest byte, zeros above; no others are read."""
    if length >= 4:
        ends = np.uint64(half(source + length - 4)) << np.uint64(8 * (length - 4))
        return np.uint64(np.uint64(half(source)) | ends)
    middle = length >> 1
    ends = np.uint64(byte(source + length - 1)) << np.uint64(8 * (length - 1))
    return np.uint64(np.uint64(byte(source)) | (np.uint64(byte(source + middle)) << np.uint64(8 * middle)) | ends)


@inlined
def copy_entry(at: int, places: int, table: int, row: int) -> np.int64:
    """Copy an entry of a table, whose first word is the address of its bytes and whose others are their offsets; which
    entry says number `row` (int32) of `places`. Behind its bytes others may be read.
    """
    entry = table + 8 * (np.int64(half(places + 4 * row)) + 1)
    begin = np.int64(word(entry))
    return np.int64(copy_padded(at, np.int64(word(table)) + begin, np.int64(word(entry + 8)) - begin))
