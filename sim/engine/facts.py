"""From rows of blocks to batches: ids, and the merge of the blocks' sorted runs into one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.batch import Batch, Stream
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant

Times = NDArray[np.int64]

SEQUENCE_BITS = 26
BLOCK_BITS = 6
TICK_BITS = 21
"""Together 53 bits, which even a consumer that reads JSON numbers as doubles gets whole."""

MOST_FACTS = 1 << SEQUENCE_BITS
"""Facts of one stream in one block and tick."""


def check_room(stream: str, count: float, block: int, window: Window) -> None:
    """Raise SimulationError where ids cannot number so many facts; call it before making them, or before drawing."""
    if count > MOST_FACTS:
        raise SimulationError(
            f"{stream}: {count:,.0f} facts in block {block} within the tick from {format_instant(window.start)};"
            f" at most {MOST_FACTS:,} are possible: give the scenario a shorter tick or more blocks"
        )


def fact_ids(stream: str, count: int, block: int, window: Window) -> Times:
    """Ids of a stream's facts of one block and window: unique without coordination, ascending with (tick, block)."""
    check_room(stream, count, block, window)
    base = (window.number << (BLOCK_BITS + SEQUENCE_BITS)) | (block << SEQUENCE_BITS)
    return np.arange(base, base + count, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one stream from one block, by (event time, id); `columns` has all but the event time, by name."""

    times: Times
    columns: dict[str, Column]


def merge(stream: Stream, pieces: Sequence[Facts], window: Window) -> Batch:
    """All of `pieces`, which come by ascending block, as one batch in the order of (event time, id)."""
    pieces = [piece for piece in pieces if len(piece.times)]
    if not pieces:
        return Batch(stream, _empty(stream), window.start, window.until)
    times = np.concatenate([piece.times for piece in pieces])
    order = None
    if len(pieces) > 1:
        ids = np.concatenate([piece.columns[stream.id].values for piece in pieces])
        order = _order(times, ids, window)
    arrays = []
    spans = {span.column: span for span in stream.spans}
    for name in stream.schema.names:
        if name == "event_time":
            column = Column(times, TIME_TYPE)
        else:
            column = Column.concat([piece.columns[name] for piece in pieces])
            if span := spans.get(name):
                column = column.with_nulls((times < span.start) | (times >= span.until))
        arrays.append((column if order is None else column.take(order)).to_arrow())
    return Batch(stream, pa.RecordBatch.from_arrays(arrays, schema=stream.schema), window.start, window.until)


def _empty(stream: Stream) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in stream.schema], schema=stream.schema)


def _order(times: Times, ids: Times, window: Window) -> NDArray[np.int64]:
    """The order of (time, id)."""
    if np.all(ids[1:] > ids[:-1]):
        return stable_order(times, window)
    by_id = np.argsort(ids)
    return by_id[stable_order(times[by_id], window)]


def stable_order(times: Times, window: Window) -> NDArray[np.int64]:
    """The stable order of `times`. Sorting (time, position) packed into one integer costs a third of an argsort."""
    bits = int(len(times) - 1).bit_length()
    if (window.until - window.start).bit_length() + bits > 62:
        return np.argsort(times, kind="stable")
    packed = ((times - window.start) << bits) | np.arange(len(times))
    packed.sort()
    packed &= (1 << bits) - 1
    return packed
