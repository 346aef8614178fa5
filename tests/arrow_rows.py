"""Rows of every type that a fact can have, made by hypothesis, for tests of formats."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
from hypothesis import strategies as st

_DAYS = st.dates(date(1, 1, 2), date(9999, 12, 30))
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_SPAN = timedelta(days=10_000)

LEAVES = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.string(): _TEXT,
    pa.large_string(): _TEXT,
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["", "a", "b", "ü–日本"]),
    pa.dictionary(pa.int8(), pa.int64()): st.sampled_from([-1, 0, 2**40]),
    pa.date32(): _DAYS,
    pa.time64("us"): st.times(time.min, time.max),
    pa.timestamp("us"): _MOMENTS,
    pa.timestamp("us", "UTC"): _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    pa.duration("us"): st.timedeltas(-_SPAN, _SPAN),
}
"""Types of single values, with the values that they have."""

RARE = {
    pa.binary(): st.binary(max_size=8),
    pa.decimal128(12, 2): st.decimals(-9_999_999, 9_999_999, places=2),
}
"""Types that only a user's own code can give."""


def _nested(kinds: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    names = st.lists(st.sampled_from(["a", "b_c", "zip-code", "2nd"]), min_size=1, max_size=3, unique=True)
    structs = names.flatmap(
        lambda own: st.tuples(*(kinds for _ in own)).map(lambda inner: pa.struct(list(zip(own, inner, strict=True))))
    )
    return kinds.map(pa.list_) | structs


def kinds(leaves: dict[pa.DataType, st.SearchStrategy[object]]) -> st.SearchStrategy[pa.DataType]:
    """Types of `leaves`, and lists and structs of them."""
    return st.recursive(st.sampled_from(list(leaves)), _nested, max_leaves=4)


def values(kind: pa.DataType, leaves: dict[pa.DataType, st.SearchStrategy[object]]) -> st.SearchStrategy[object]:
    """Values of a type, null among them."""
    if pa.types.is_list(kind):
        return st.none() | st.lists(values(kind.value_type, leaves), max_size=3)
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({part.name: values(part.type, leaves) for part in kind})
    return st.none() | leaves[kind]


@st.composite
def batches(draw, leaves):
    """A batch of one to three columns of random types, cut out of a longer one."""
    own = {name: draw(kinds(leaves)) for name in draw(st.sampled_from([["x"], ["x", "y-z"], ["x", "y", "_"]]))}
    rows = draw(st.integers(1, 6))
    columns = {
        name: array(draw(st.lists(values(kind, leaves), min_size=rows, max_size=rows)), kind)
        for name, kind in own.items()
    }
    first = draw(st.integers(0, rows - 1))
    return pa.record_batch(columns).slice(first, draw(st.integers(0, rows - first)))


@st.composite
def columns(draw, leaves):
    """A batch of one to five columns, cut out of a longer one, in which values come again and again."""
    kinds = draw(st.lists(st.sampled_from(list(leaves)), min_size=1, max_size=5))
    count, most = draw(st.integers(1, 40)), 5
    items = [draw(st.lists(values(kind, leaves), min_size=1, max_size=most)) for kind in kinds]
    turns = draw(st.randoms(use_true_random=False))
    arrays = [array([turns.choice(own) for _ in range(count)], kind) for own, kind in zip(items, kinds, strict=True)]
    first = draw(st.integers(0, count - 1))
    data = pa.RecordBatch.from_arrays(arrays, [f"c{place}" for place in range(len(arrays))])
    return data.slice(first, draw(st.integers(1, count - first)))


def array(items, kind):
    """Values as an array; dictionaries inside lists and structs too, which pa.array does not make."""
    if pa.types.is_list(kind):
        inner = array([item for row in items for item in row or []], kind.value_type)
        offsets = [0]
        for row in items:
            offsets.append(offsets[-1] + len(row or []))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, mask=_nulls(items))
    if pa.types.is_struct(kind):
        parts = [array([row and row[part.name] for row in items], part.type) for part in kind]
        return pa.StructArray.from_arrays(parts, names=[part.name for part in kind], mask=_nulls(items))
    if pa.types.is_dictionary(kind):
        return pa.array(items, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(items, kind)


def _nulls(items):
    return pa.array([item is None for item in items], pa.bool_())


def same(ours: object, theirs: object) -> bool:
    """Whether two values are alike, NaN being like NaN."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs or (ours != ours and theirs != theirs)
