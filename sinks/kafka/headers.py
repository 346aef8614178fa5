"""Headers: what stands beside a message, the same for all or taken from each fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Stream
from sim.errors import ParameterError
from sinks.envelopes.envelope import Varying
from sinks.formats.columns import octets
from sinks.kafka.beside import carried
from sinks.run import Run
from sinks.words import nearest

KNOWN = ("stream", "scenario", "seed", "id", "due")
"""What `headers=` knows by name: stream, scenario and seed, the id of the fact, the instant at which it is to leave."""

DUE = "due"
"""The header that only paced runs have: microseconds since the epoch, by the clock of the wall."""

Pairs = list[tuple[str, bytes | None]]

Column = Sequence[bytes | None]
"""Byte strings, one a message: a large_binary array, or a list."""


class Headers:
    """The headers of the messages of one stream, by name: a value for all, or a function that gives one for each.

    `beside` names a column with further headers of each message.
    """

    def __init__(self, values: Mapping[str, bytes | Varying], has_due: bool = False, beside: str | None = None) -> None:
        self._has_due = has_due
        self._beside = beside
        self._taken = {*values, DUE}
        self._constant: Pairs = [(name, value) for name, value in values.items() if isinstance(value, bytes)]
        self._varying = [(name, value) for name, value in values.items() if not isinstance(value, bytes)]

    def of(self, data: pa.RecordBatch, due: NDArray[np.int64] | None = None) -> HeaderRows | None:
        """One row for each fact; None where there are no headers. `due` are microseconds, int64[n]."""
        columns: list[tuple[str, Column]] = [(name, value(data)) for name, value in self._varying]
        if self._beside is not None:
            columns += carried(data.column(self._beside), self._taken)
        if self._has_due and due is not None:
            columns.append((DUE, octets(pa.record_batch({DUE: due}), DUE)))
        return HeaderRows(self._constant, columns, data.num_rows) if self._constant or columns else None


@dataclass(frozen=True, slots=True)
class HeaderRows:
    """The headers of `count` messages, as columns: what is the same for all, and a value for each by name.

    The columns are large_binary arrays, or lists once they are `listed` for a client that takes one message at a time.
    Iterating makes the pairs of one message at a time, which live until the client has copied them: made beforehand
    they are so many small objects that the garbage collector takes two thirds of the time.
    """

    constant: Pairs
    columns: Sequence[tuple[str, Column]]
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Pairs]:
        if not self.columns:
            return repeat(self.constant, self.count)
        columns = [zip(repeat(name), values, strict=False) for name, values in self.columns]
        return map(list, zip(*map(repeat, self.constant), *columns, strict=False))

    def at(self, place: int) -> Pairs:
        """The headers of one message."""
        return [*self.constant, *((name, values[place]) for name, values in self.columns)]

    def part(self, first: int, last: int) -> HeaderRows:
        """The headers of the messages from `first` to `last`."""
        count = len(range(self.count)[first:last])
        return HeaderRows(self.constant, [(name, values[first:last]) for name, values in self.columns], count)

    def each(self, change: Callable[[Column], Column]) -> HeaderRows:
        """The same headers in columns of another kind."""
        return HeaderRows(self.constant, [(name, change(values)) for name, values in self.columns], self.count)


def parse(text: str) -> dict[str, str]:
    """The headers that `headers=` asks for: by name the value, empty for those of `KNOWN`.

    Raises ParameterError for a name alone that is not known.
    """
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, colon, value = part.partition(":")
        if not colon and name not in KNOWN:
            raise ParameterError(f"headers={text}: {name!r} is not known{nearest(name, KNOWN)}; or write {name}:VALUE")
        found[name] = value
    return found


def named(wanted: Mapping[str, str], stream: Stream, run: Run) -> dict[str, bytes | Varying]:
    """The values of the headers that `parse` found, for the facts of one stream."""
    known: dict[str, bytes | Varying] = {
        "stream": stream.name.encode(),
        "scenario": run.scenario.encode(),
        "seed": str(run.seed).encode(),
        "id": lambda data: octets(data, stream.id),
    }
    asked = {name: value for name, value in wanted.items() if value or name != DUE}
    return {name: value.encode() if value else known.get(name, b"") for name, value in asked.items()}
