"""Memory by its addresses, aligned or not, and bits, for compiled code: what neither NumPy nor Numba has a word for.

What is kept of compiled code on disk is compiled anew where the file of a function has changed, whatever others have: a
change here is one of the kernels that use it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

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


def _zeros(count_zeros: str) -> Any:
    def count(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, count_zeros)(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate

    return intrinsic(count)


byte, half, word = _reader(8), _reader(32), _reader(64)
put = _writer()
count_up = _counter()
leading_zeros, trailing_zeros = _zeros("ctlz"), _zeros("cttz")
