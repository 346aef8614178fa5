"""Small streams and batches with every kind of column, for checking sinks and formats without a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sinks.run import Run

START = 1_709_164_799_000_000
"""2024-02-28T23:59:59Z: a second before midnight, so that a day passes in every sample."""

SPAN = 10_000_000
TEXTS = ("plain", 'say "hi", she said', "line\nend\r\n", "ü–日本", "", "tab\tback\\slash")
FLOATS = (1.5, -0.0, float("nan"), float("inf"), 1e300, 0.1)

_POINT = pa.struct([("lat", pa.float64()), ("lon", pa.float64()), ("at", TIME_TYPE)])
_MAKERS: dict[str, tuple[pa.DataType, Callable[[int], Any]]] = {
    "flag": (pa.bool_(), lambda i: i % 2 == 0),
    "small": (pa.int8(), lambda i: i % 100 - 50),
    "count": (pa.int32(), lambda i: i * 7),
    "large": (pa.uint64(), lambda i: 2**63 + i),
    "ratio": (pa.float32(), lambda i: i / 4),
    "amount": (pa.float64(), lambda i: FLOATS[i % len(FLOATS)]),
    "price": (pa.decimal128(12, 2), lambda i: Decimal(i) / 4),
    "note": (pa.string(), lambda i: TEXTS[i % len(TEXTS)]),
    "state": (pa.dictionary(pa.int32(), pa.string()), lambda i: ("new", "open", "done")[i % 3]),
    "level": (pa.dictionary(pa.int8(), pa.int64()), lambda i: i % 3),
    "day": (pa.date32(), lambda i: date(2024, 1, 1 + i % 28)),
    "hour": (pa.time64("us"), lambda i: time(i % 24, 30)),
    "local": (pa.timestamp("ms"), lambda i: 1_700_000_000_000 + i),
    "wait": (pa.duration("us"), lambda i: i * 1_000_001),
    "raw": (pa.binary(), lambda i: bytes([i % 256, 255])),
    "tags": (pa.list_(pa.string()), lambda i: list(TEXTS[: i % 4])),
    "place": (_POINT, lambda i: {"lat": i / 8, "lon": -1.0, "at": START + i}),
    "lines": (
        pa.list_(pa.struct([("sku", pa.string()), ("quantity", pa.int64())])),
        lambda i: [{"sku": str(k), "quantity": k} for k in range(i % 3)],
    ),
}


def sample_run(until: int = START + SPAN) -> Run:
    """The run that the samples belong to."""
    return Run("sample", "0" * 64, 42, START, until)


def simple_stream(name: str = "visit", rank: int = 0) -> Stream:
    """A stream of `event_time`, `NAME_id`, `customer_id` and `page`."""
    fields = [(TIME, TIME_TYPE), (f"{name}_id", pa.int64()), ("customer_id", pa.int64()), ("page", pa.string())]
    return Stream(name, pa.schema(fields), f"{name}_id", "customer_id", rank)


def typed_stream(name: str = "thing", rank: int = 1) -> Stream:
    """A stream with a column of every type that a scenario can give."""
    fields = [(TIME, TIME_TYPE), (f"{name}_id", pa.int64()), ("customer_id", pa.int64())]
    schema = pa.schema([*fields, *((column, kind) for column, (kind, _) in _MAKERS.items())])
    return Stream(name, schema, f"{name}_id", "customer_id", rank)


def sample_batch(
    stream: Stream, rows: int, first: int = 0, start: int = START, span: int = SPAN, nulls: bool = False
) -> Batch:
    """`rows` facts spread evenly over [start, start + span), their ids counted from `first`, of seven customers.

    With `nulls` every column that is not needed to place the fact is null in every row.
    """
    ids = np.arange(first, first + rows)
    times = start + (np.arange(rows) * span) // max(rows, 1)
    columns = {TIME: pa.array(times, TIME_TYPE), stream.id: pa.array(ids), stream.key: pa.array(ids % 7)}
    arrays = [
        columns[field.name] if field.name in columns else _column(field, ids.tolist(), nulls) for field in stream.schema
    ]
    return Batch(stream, pa.RecordBatch.from_arrays(arrays, schema=stream.schema), start, start + span)


def _column(field: pa.Field, ids: Sequence[int], nulls: bool) -> pa.Array:
    if nulls:
        return pa.nulls(len(ids), field.type)
    make = _MAKERS[field.name][1] if field.name in _MAKERS else lambda i: f"/page/{i % 5}"
    # Every fourth value is null, so that each type is met with and without.
    values = [make(i) if i % 4 != 3 else None for i in ids]
    if pa.types.is_dictionary(field.type):
        return pa.array(values, field.type.value_type).dictionary_encode().cast(field.type)
    return pa.array(values, field.type)
