"""What is expected of the facts, held against the streams that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from sim.attributes.expressions import program
from sim.batch import Stream
from sim.errors import Problem
from sim.scenario.expectations import Expectation
from sim.scenario.words import nearest


def expectation_problems(expected: Mapping[str, Expectation], streams: Sequence[Stream]) -> list[Problem]:
    """Streams and columns that are not there, and conditions that are none."""
    known = {stream.name: stream for stream in streams}
    return [problem for name, own in expected.items() for problem in _problems(f"expect.{name}", own, known)]


def _problems(path: str, own: Expectation, known: Mapping[str, Stream]) -> Iterator[Problem]:
    if own.stream is None or own.where is None:
        return
    if own.stream not in known:
        yield Problem(0, f"{path}.stream", f"{own.stream!r} is not a stream{nearest(own.stream, known)}")
        return
    types = {column.name: column.type for column in known[own.stream].schema}
    condition = program(own.where)
    if unknown := sorted(condition.reads - types.keys()):
        told = f"{unknown[0]!r} is not a column of {own.stream}{nearest(unknown[0], types, 'it has')}"
        yield Problem(0, f"{path}.where", told)
        return
    try:
        if not pa.types.is_boolean(condition.arrow_type(types)):
            yield Problem(0, f"{path}.where", f"{own.where!r} is not a condition")
    except ValueError as error:
        yield Problem(0, f"{path}.where", str(error))
