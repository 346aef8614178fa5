"""Memory by its addresses, and bits, in compiled code: what neither NumPy nor Numba has a word for.

`byte`, `half` and `word` read so many bits at an address, `put` writes a word; none of them minds alignment. `count_up`
adds one to the word at an address. `trailing_zeros` counts those below the lowest one among the bits of a word.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def _reader(bits: int) -> Any:
    size = ir.IntType(bits)

    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], size.as_pointer()), align=1)

        return types.Integer.from_bitwidth(bits, False)(types.intp), generate

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


def _zeros() -> Any:
    def count(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate

    return intrinsic(count)


byte, half, word = _reader(8), _reader(32), _reader(64)
put = _writer()
count_up = _counter()
trailing_zeros = _zeros()
