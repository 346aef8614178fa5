"""Debezium: each fact is a change of a row, with the row before and after it.

A stream of changes, which has the columns `op`, `before` and `after`, says itself what changed; its deletions are
followed by a message without a value (a tombstone), so that compacted topics forget the key. Facts of every other
stream are rows that are inserted (`c`), or, for entities that exist when the run begins, read (`r`), as in a snapshot.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sim.batch import TIME, Stream
from sinks.envelopes.envelope import Envelope, constant
from sinks.run import Run

CHANGE = frozenset({"op", "before", "after"})
_SUFFIX = "_change"
_BORN = "born_at"
_SOURCE = pa.struct(
    [
        ("version", pa.string()),
        ("connector", pa.string()),
        ("name", pa.string()),
        ("ts_ms", pa.int64()),
        ("snapshot", pa.string()),
        ("db", pa.string()),
        ("table", pa.string()),
        ("ts_us", pa.int64()),
        ("fact_id", pa.int64()),
    ]
)


class Debezium(Envelope):
    """`before`, `after`, `source`, `op` and `ts_ms`, with the event time as the time of the change."""

    name = "debezium"
    formats = frozenset({"json", "jsonschema", "avro", "protobuf"})

    def __init__(self, stream: Stream, run: Run, namespace: str) -> None:
        super().__init__(stream, run, namespace)
        names = set(stream.schema.names)
        self._is_change = names >= CHANGE
        self._is_birth = stream.id == stream.key and _BORN in names
        self._row = self._columns()
        self._table = stream.name.removesuffix(_SUFFIX) if self._is_change else stream.name
        self.namespace = f"{namespace}.{stream.name}"
        row = pa.struct(self._row)
        fields = [
            pa.field("before", row, metadata={"record": "Value", "description": "the row before the change"}),
            pa.field("after", row, metadata={"record": "Value", "description": "the row after the change"}),
            pa.field("source", _SOURCE, nullable=False, metadata={"description": "where the change comes from"}),
            pa.field("op", pa.string(), nullable=False, metadata={"description": "c, u, d or r"}),
            pa.field("ts_ms", pa.int64(), metadata={"description": "when it happened, milliseconds"}),
        ]
        self.stream = Stream("envelope", pa.schema(fields), "op", "op", stream.rank, stream.description)

    def _columns(self) -> list[pa.Field]:
        """The columns of the row that changes."""
        schema = self.facts.schema
        if not self._is_change:
            return list(schema)
        key, after = schema.field(self.facts.key), schema.field("after").type
        return [*([] if after.get_field_index(key.name) >= 0 else [key]), *after]

    def wrap(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """One change for each fact."""
        op = self._op(data)
        before, after = self._rows(data)
        micros = data.column(TIME).cast(pa.int64())
        columns = [before, after, self._source(data, op, micros), op, _milliseconds(micros)]
        return pa.RecordBatch.from_arrays(columns, schema=self.stream.schema)

    def deleted(self, data: pa.RecordBatch) -> NDArray[np.bool_] | None:
        """The deletions among changes."""
        if not self._is_change:
            return None
        found: NDArray[np.bool_] = pc.fill_null(pc.equal(self._op(data), "d"), False).to_numpy(zero_copy_only=False)
        return found if found.any() else None

    def _op(self, data: pa.RecordBatch) -> pa.Array:
        if self._is_change:
            return pc.utf8_slice_codeunits(data.column("op").cast(pa.string()), 0, 1)
        if self._is_birth:
            return pc.if_else(_there_before(data), "r", "c")
        return constant("c", data.num_rows)

    def _rows(self, data: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
        kind = pa.struct(self._row)
        if not self._is_change:
            return pa.nulls(data.num_rows, kind), pa.StructArray.from_arrays(data.columns, fields=self._row)
        before, after = (self._keyed(data, data.column(name)) for name in ("before", "after"))
        return before, after

    def _keyed(self, data: pa.RecordBatch, row: pa.Array) -> pa.Array:
        parts = [row.field(place) for place in range(row.type.num_fields)]
        if len(parts) < len(self._row):
            parts.insert(0, data.column(self.facts.key))
        return pa.StructArray.from_arrays(parts, fields=self._row, mask=row.is_null())

    def _source(self, data: pa.RecordBatch, op: pa.Array, micros: pa.Array) -> pa.Array:
        count, scenario = data.num_rows, self.run.scenario
        parts = [
            constant("1.0", count),
            constant("datagen", count),
            constant(scenario, count),
            _milliseconds(micros),
            pc.if_else(pc.equal(op, "r"), "true", "false"),
            constant(scenario, count),
            constant(self._table, count),
            micros,
            data.column(self.facts.id).cast(pa.int64()),
        ]
        return pa.StructArray.from_arrays(parts, fields=list(_SOURCE))


def _there_before(data: pa.RecordBatch) -> pa.Array:
    return pc.fill_null(pc.less(data.column(_BORN), data.column(TIME)), False)


def _milliseconds(micros: pa.Array) -> pa.Array:
    # Rounded towards the past, before 1970 too.
    return pa.array(np.asarray(micros) // 1000)
