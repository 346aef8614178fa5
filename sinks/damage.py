"""Damage to payloads: what a message looks like that something on its way has broken.

A batch may say which of its facts are to be damaged, and how: a number from 1 on for each of `KINDS`, 0 for none. Sinks
that write messages do it, after encoding; which kinds they can do is in their `damages`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Batch
from sinks.formats.format import Format
from sinks.formats.json import Json

WRONG_TYPE, TRUNCATED, BAD_UTF8, OVERSIZE, WRONG_SCHEMA = KINDS = (
    "wrong_type",
    "truncated",
    "bad_utf8",
    "oversize",
    "wrong_schema_id",
)

PADDING = 256 * 1024
"""Bytes by which a message becomes larger: more than consumers expect, less than brokers refuse."""

COLUMN = "_damage"
_NOWHERE = b"\x00\x7f\xff\xff\xff"
"""The head of a message whose schema no registry knows."""


def marked(batch: Batch) -> pa.RecordBatch:
    """The batch's data, with the damage as a column of its own where there is any."""
    if batch.damage is None or not batch.damage.any():
        return batch.data
    return batch.data.append_column(COLUMN, pa.array(batch.damage))


def possible(form: type[Format], framed: bool) -> frozenset[str]:
    """What can be done to messages in a format; `framed` says that they begin with the number of a schema."""
    kinds = {TRUNCATED}
    if issubclass(form, Json):
        kinds |= {WRONG_TYPE, BAD_UTF8}
    if form.padding(PADDING):
        kinds.add(OVERSIZE)
    if framed:
        kinds.add(WRONG_SCHEMA)
    return frozenset(kinds)


def damaged(values: Sequence[bytes], damage: NDArray[np.uint8], column: str, form: Format) -> list[bytes]:
    """The messages of a format, some of them damaged; `column` names a member that always holds a whole number."""
    found = np.empty(len(values), object)
    found[:] = values
    for number in np.unique(damage[damage > 0]).tolist():
        rows = np.flatnonzero(damage == number)
        found[rows] = _broken(pl.Series(found[rows].tolist(), dtype=pl.Binary), KINDS[number - 1], column, form)
    broken: list[bytes] = found.tolist()
    return broken


def _broken(whole: pl.Series, kind: str, column: str, form: Format) -> NDArray[np.object_]:
    if kind == WRONG_TYPE:
        head = pl.lit(len(form.header))
        text = _cut(whole, head, pl.lit(None)).cast(pl.String)
        text = text.str.replace(f'"{column}":\\s*-?\\d+', f'"{column}":"wrong type"')
        wrong: NDArray[np.object_] = _objects(_cut(whole, pl.lit(0), head)) + _objects(text.cast(pl.Binary))
        return wrong
    if kind == OVERSIZE:
        return _joined(b"", whole, form.padding(PADDING))
    if kind == WRONG_SCHEMA:
        return _joined(_NOWHERE, _cut(whole, pl.lit(5), pl.col("whole").bin.size()), b"")
    if kind == BAD_UTF8:
        # The last byte closes the object; what is before it stays, so that a lenient reader has something to read.
        return _joined(b"", _cut(whole, pl.lit(0), pl.col("whole").bin.size() - 1), b"\xff\xfe}")
    return _objects(_cut(whole, pl.lit(0), pl.col("whole").bin.size() // 2))


def _cut(whole: pl.Series, first: pl.Expr, length: pl.Expr) -> pl.Series:
    return whole.alias("whole").to_frame().select(pl.col("whole").bin.slice(first, length)).to_series()


def _joined(head: bytes, values: pl.Series, tail: bytes) -> NDArray[np.object_]:
    # As objects: of bytes that are its own, NumPy drops the zeros at the end.
    before, behind = np.array(head, object), np.array(tail, object)
    joined: NDArray[np.object_] = before + _objects(values) + behind
    return joined


def _objects(values: pl.Series) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values.to_list()
    return found
