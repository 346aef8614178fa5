"""The last step before encoders that read Arrow: legal names, and the types that the encoder takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from sim.batch import Stream
from sinks.formats.normal import legal_names, normal_schema


class Wire:
    """Brings facts of a stream to what an encoder takes: `schema`, whose types `target` makes of normal ones.

    `columns` is the schema in normal types and with the names that the scenario gives.
    """

    def __init__(self, stream: Stream, target: Callable[[pa.DataType], pa.DataType]) -> None:
        self.columns = normal_schema(stream)
        self._legal = [_legal_type(kind) for kind in self.columns.types]
        names = legal_names(self.columns.names)
        self.schema = pa.schema([pa.field(name, target(kind)) for name, kind in zip(names, self._legal, strict=True)])

    def arrays(self, data: pa.RecordBatch) -> list[pa.Array]:
        """The columns of `data`; what finer units of time lose is cut off, as in text."""
        steps = zip(data.columns, self.columns.types, self._legal, self.schema.types, strict=True)
        return [_cast(_renamed(_cast(column, kind), legal), final) for column, kind, legal, final in steps]


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind, safe=False)


def _legal_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        names = legal_names(part.name for part in kind)
        return pa.struct([pa.field(name, _legal_type(part.type)) for name, part in zip(names, kind, strict=True)])
    return pa.list_(_legal_type(kind.value_type)) if pa.types.is_list(kind) else kind


def _renamed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same values in a type that differs in the names of fields only; a cast would look for the names."""
    if column.type == kind:
        return column
    if pa.types.is_struct(kind):
        parts = [_renamed(column.field(place), kind.field(place).type) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=column.is_null())
    offsets, items = unrolled(column)
    inner = _renamed(items, kind.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, mask=column.is_null())


def unrolled(lists: pa.Array) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], pa.Array]:
    """Where each list begins among the items, int32[n + 1] from 0 on, and the items of all lists."""
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[0], lists.values.slice(offsets[0], offsets[-1] - offsets[0])
