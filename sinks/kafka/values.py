"""Values of messages: each fact in its envelope, in a format, in the version of its stream that its time asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sim.batch import Stream, event_times
from sim.errors import ParameterError
from sinks.damage import COLUMN, damaged
from sinks.envelopes import Envelope
from sinks.formats import Format
from sinks.formats.normal import check_namespace, namespace_of
from sinks.formats.versions import versions
from sinks.kafka.keys import key_stream
from sinks.run import Run


@dataclass(frozen=True, slots=True)
class Version:
    """How facts from the instant `start` on (microseconds) are written, until the next version begins."""

    start: int
    envelope: Envelope
    format: Format

    def encode(self, data: pa.RecordBatch) -> pa.Array:
        """The values of facts, all of this version, as a large_binary array."""
        names = self.envelope.facts.schema.names
        own = data if data.schema.names == names else data.select(names)
        return self.format.values(self.envelope.wrap(own))


@dataclass(frozen=True, slots=True)
class Style:
    """How values are written: in which format, in which envelope, with types named in which namespace.

    An empty namespace stands for that of the scenario. Raises ParameterError where format and envelope do not go
    together.
    """

    format: type[Format]
    envelope: type[Envelope]
    namespace: str = ""

    def __post_init__(self) -> None:
        able = self.envelope.formats
        if able and self.format.name not in able:
            text = f"{self.envelope.name} cannot be written as {self.format.name}; formats: {', '.join(sorted(able))}"
            hint = "; cloudevents-binary takes any" if self.envelope.name == "cloudevents" else ""
            raise ParameterError(text + hint)
        check_namespace(self.namespace)

    def within(self, run: Run) -> str:
        """The namespace for the streams of a run."""
        return self.namespace or namespace_of(run.scenario)

    def versions(self, stream: Stream, run: Run) -> list[Version]:
        """How the facts of a stream are written in each version that it has in the run."""
        made = []
        for start, own in versions(stream, run.start, run.end):
            envelope = self.envelope(own, run, self.within(run))
            made.append(Version(start, envelope, self.format(envelope.stream, envelope.namespace)))
        return made

    def key(self, stream: Stream, run: Run) -> Format:
        """How keys of a stream are written, as records of one field, where they are in this format."""
        return self.format(key_stream(stream), f"{self.within(run)}.{stream.name}")


class Values:
    """The values of one stream's messages; most streams have one version."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = tuple(versions)
        self.envelope = versions[0].envelope
        self._edges = np.array([version.start for version in versions[1:]], np.int64)

    def of(self, data: pa.RecordBatch) -> pa.Array:
        """The value of each fact, in order, damaged where a column says so; the facts need not be in order of time.

        A large_binary array without nulls.
        """
        if COLUMN not in data.schema.names:
            return self._whole(data)
        damage = data.column(COLUMN).to_numpy(zero_copy_only=False)
        whole = self._whole(data.drop_columns([COLUMN])).to_pylist()
        return pa.array(damaged(whole, damage, self.envelope.facts.id, self.versions[0].format), pa.large_binary())

    def _whole(self, data: pa.RecordBatch) -> pa.Array:
        if not len(self._edges):
            return self.versions[0].encode(data)
        which = np.searchsorted(self._edges, event_times(data), side="right")
        rows = [np.flatnonzero(which == number) for number in range(len(self.versions))]
        made = [version.encode(data.take(pa.array(own))) for version, own in zip(self.versions, rows, strict=True)]
        return pa.concat_arrays(made).take(pa.array(np.argsort(np.concatenate(rows))))
