"""What an envelope is: facts of one stream to facts of another, in which the first stand with something around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Stream
from sinks.run import Run

Varying = Callable[[pa.RecordBatch], pa.Array]
"""The value of a header for each fact, as a large_binary array."""


class Envelope:
    """The plain one: facts go out as they are. Subclasses put something around them or beside them.

    `stream` is what a format is to write, its types named in `namespace`; `wrap` makes its rows from facts.
    `name` is what `envelope=` calls it; `formats` are those that it can be written in, all of them where it is empty.
    """

    name: ClassVar[str] = "plain"
    formats: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, stream: Stream, run: Run, namespace: str) -> None:
        self.facts = stream
        self.run = run
        self.stream = stream
        self.namespace = namespace

    def wrap(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of `stream` for facts, one each, in order."""
        return data

    def headers(self, content_type: str) -> dict[str, bytes | Varying]:
        """What stands beside each message of that content type, by name."""
        return {}

    def deleted(self, data: pa.RecordBatch) -> NDArray[np.bool_] | None:
        """The facts after which their key has no value any more, bool[n]; None where there is no such fact."""
        return None


def constant(text: str, rows: int) -> pa.Array:
    """A column with the same text in each of `rows` rows."""
    return pa.repeat(pa.scalar(text), rows)
