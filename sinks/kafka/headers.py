"""Headers: what stands beside a message, the same for all or taken from each fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat

import pyarrow as pa

from sim.batch import Stream
from sim.errors import ParameterError
from sinks.contract import Run
from sinks.envelopes.envelope import Varying
from sinks.formats.columns import octets
from sinks.words import nearest

KNOWN = ("stream", "scenario", "seed", "id")
"""What `headers=` knows by name: the stream, the scenario, the seed, the id of the fact."""

Pairs = list[tuple[str, bytes | None]]


class Headers:
    """The headers of the messages of one stream, by name: a value for all, or a function that gives one for each."""

    def __init__(self, values: Mapping[str, bytes | Varying]) -> None:
        self._constant: Pairs = [(name, value) for name, value in values.items() if isinstance(value, bytes)]
        self._varying = [(name, value) for name, value in values.items() if not isinstance(value, bytes)]

    def of(self, data: pa.RecordBatch) -> Sequence[Pairs] | None:
        """One list for each fact; None where there are no headers."""
        if not self._varying:
            return [self._constant] * data.num_rows if self._constant else None
        columns = [zip(repeat(name), value(data)) for name, value in self._varying]
        return list(map(list, zip(*map(repeat, self._constant), *columns, strict=False)))


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
    return {name: value.encode() if value else known.get(name, b"") for name, value in wanted.items()}
