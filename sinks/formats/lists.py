"""Lists as Protobuf can have them: no nulls in them, and none directly inside another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sinks.formats.protobuf_schema import VALUES
from sinks.formats.wire import unrolled


def is_flat(kind: pa.DataType) -> bool:
    """Whether `kind` has no list anywhere in it, so that `repeatable` leaves it alone."""
    if pa.types.is_struct(kind):
        return all(is_flat(part.type) for part in kind)
    return not pa.types.is_list(kind)


def repeatable(values: pa.Array) -> pa.Array:
    """`values` with the nulls inside lists dropped, and each list inside a list in a struct with one field."""
    kind = values.type
    if is_flat(kind):
        return values
    if pa.types.is_struct(kind):
        parts = [repeatable(values.field(place)) for place in range(kind.num_fields)]
        fields = [field.with_type(part.type) for field, part in zip(kind, parts, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=pc.is_null(values))
    return _list(values)


def _list(values: pa.Array) -> pa.Array:
    offsets, items = unrolled(values)
    # Lists that are null may have items in the buffers; to Protobuf they are empty.
    lengths = np.where(values.is_null().to_numpy(zero_copy_only=False), 0, np.diff(offsets))
    kept = items.is_valid().to_numpy(zero_copy_only=False) & np.repeat(lengths > 0, np.diff(offsets))
    before = np.concatenate([[0], np.cumsum(kept)])
    inner = repeatable(items.filter(pa.array(kept)))
    if pa.types.is_list(inner.type):
        inner = pa.StructArray.from_arrays([inner], [VALUES])
    return pa.ListArray.from_arrays(pa.array(before[offsets], pa.int32()), inner)
