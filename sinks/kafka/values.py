"""Values of messages: each fact in its envelope, in a format, in the version of its stream that its time asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sim.batch import event_times
from sinks.envelopes import Envelope
from sinks.formats import Format


@dataclass(frozen=True, slots=True)
class Version:
    """How facts from the instant `start` on (microseconds) are written, until the next version begins."""

    start: int
    envelope: Envelope
    format: Format

    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The values of facts, all of this version."""
        names = self.envelope.facts.schema.names
        own = data if data.schema.names == names else data.select(names)
        return self.format.encode(self.envelope.wrap(own))


class Values:
    """The values of one stream's messages; most streams have one version."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = tuple(versions)
        self.envelope = versions[0].envelope
        self._edges = np.array([version.start for version in versions[1:]], np.int64)

    def of(self, data: pa.RecordBatch) -> list[bytes]:
        """The value of each fact, in order; the facts need not be in the order of time."""
        if not len(self._edges):
            return self.versions[0].encode(data)
        which = np.searchsorted(self._edges, event_times(data), side="right")
        found = np.empty(len(which), object)
        for number in np.unique(which).tolist():
            rows = np.flatnonzero(which == number)
            found[rows] = self.versions[number].encode(data.take(pa.array(rows)))
        values: list[bytes] = found.tolist()
        return values
