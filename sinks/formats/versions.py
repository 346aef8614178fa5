"""The versions of a stream: what its facts look like between the instants at which columns come and go."""

from __future__ import annotations

from dataclasses import replace

from sim.batch import Stream

NUMBER = b"number"
"""Key of a field's metadata: its number among all columns that the stream ever has, from 1."""


def versions(stream: Stream, start: int, end: int) -> list[tuple[int, Stream]]:
    """The stream as it is in each version within [start, end), microseconds, with the instant from which on it is so.

    The columns keep the numbers that they have among all columns, so that a version can drop one in the middle. A
    stream whose columns are always there has one version, itself.
    """
    if not stream.spans:
        return [(start, stream)]
    edges = sorted({edge for span in stream.spans for edge in (span.start, span.until) if start < edge < end})
    return [(edge, _at(stream, edge)) for edge in (start, *edges)]


def _at(stream: Stream, instant: int) -> Stream:
    absent = {span.column for span in stream.spans if not span.start <= instant < span.until}
    schema = stream.schema
    for place, field in enumerate(schema):
        schema = schema.set(place, field.with_metadata({**(field.metadata or {}), NUMBER: str(place + 1)}))
    for name in absent - {stream.id, stream.key}:
        schema = schema.remove(schema.get_field_index(name))
    return replace(stream, schema=schema)
