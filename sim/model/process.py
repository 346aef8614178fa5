"""What a user's own process declares: the stream that it adds to a model, and the function that lives in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sim.errors import ParameterError


@dataclass(frozen=True, slots=True)
class UserProcess:
    """A SimPy process per block of `entity`, whose facts are the stream `stream` with the columns of `schema`.

    `live(env, block)` is a generator function; `reads` names attributes of entities (`customer.country`) that it reads.
    """

    stream: str
    live: Callable[[Any, Any], Any]
    entity: str
    schema: Mapping[str, pa.DataType]
    reads: frozenset[str] = frozenset()


def process(
    stream: str,
    live: Callable[[Any, Any], Any],
    *,
    entity: str,
    schema: Mapping[str, pa.DataType] | None = None,
    reads: Sequence[str] = (),
) -> UserProcess:
    """Declare a process; see `sim.engine.process` for what it can do."""
    return UserProcess(stream, live, entity, dict(schema or {}), frozenset(reads))


def check_process(process: UserProcess, attributes: Mapping[str, Iterable[str]]) -> None:
    """Raise ParameterError where `process` names a kind or an attribute that is not among `attributes`, by kind."""
    if process.entity not in attributes:
        raise ParameterError(
            f"process {process.stream!r}: {process.entity!r} is not a kind of entity; there are {sorted(attributes)}"
        )
    known = {f"{kind}.{name}" for kind, names in attributes.items() for name in names}
    for name in sorted(process.reads - known):
        raise ParameterError(f"process {process.stream!r} reads {name!r}; there are {sorted(known)}")
