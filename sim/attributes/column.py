"""Columns: the values of one attribute for many rows, in the shape in which NumPy works fastest on them.

A column is either *plain*, an array of numbers, or *coded*, an array of positions in a pool of distinct values. Coded
are strings, which leave as Arrow dictionaries or as plain strings, and nested values (structs and lists), so that
taking rows out of any column is one `numpy.take` of small integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]
"""A one-dimensional array of some element type."""

TIME_TYPE = pa.timestamp("us", tz="UTC")
STRING_CODES = pa.dictionary(pa.int32(), pa.string())
"""The type of strings that repeat: 32-bit codes into a dictionary."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values of one attribute, one for each of n rows.

    `values` holds numbers, booleans, microseconds since the epoch (timestamps), days since the epoch (dates) or, where
    `categories` is given, positions in `categories`. `mask` is true where the value is null; what `values` holds there
    means nothing. `type` is the Arrow type of what `to_arrow` returns.
    """

    values: Array
    type: pa.DataType
    mask: Array | None = None
    categories: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of(data: Any, type: pa.DataType | None = None) -> Column:
        """Wrap a NumPy array, an Arrow array (chunked too) or a sequence of Python values without a copy if possible.

        An Arrow dictionary and Python strings become codes, other Arrow strings and nested values a pool of their own.
        """
        if isinstance(data, Column):
            return data
        if isinstance(data, np.ndarray) and data.dtype.kind in "biufM":
            return _of_numpy(data, type)
        if isinstance(data, pa.ChunkedArray):
            data = data.combine_chunks()
        if isinstance(data, pa.Array):
            return _of_arrow(data if type is None else data.cast(type))
        array = pa.array(data, type=type)
        return _of_arrow(array.dictionary_encode() if type is None and pa.types.is_string(array.type) else array)

    @staticmethod
    def coded(codes: Array, categories: pa.Array, mask: Array | None = None) -> Column:
        """Strings (or other values) that repeat: int32 `codes` into `categories`; leaves as an Arrow dictionary."""
        kind = pa.dictionary(pa.int32(), categories.type)
        return Column(codes.astype(np.int32, copy=False), kind, mask, categories)

    @staticmethod
    def pooled(codes: Array, pool: pa.Array, mask: Array | None = None) -> Column:
        """Values taken out of `pool` at the positions `codes`; leaves as plain values of the pool's type."""
        return Column(codes.astype(np.int32, copy=False), pool.type, mask, pool)

    @staticmethod
    def nulls(length: int, type: pa.DataType) -> Column:
        """`length` nulls of a type."""
        return _of_arrow(pa.nulls(length, type))

    @staticmethod
    def concat(columns: Sequence[Column]) -> Column:
        """Append columns of one type to each other; dictionaries that differ are unified in order of appearance."""
        if len(columns) == 1:
            return columns[0]
        if any(column.type != columns[0].type for column in columns):
            raise TypeError(f"cannot append columns of types {sorted({str(column.type) for column in columns})}")
        columns = _share_categories(columns)
        values = np.concatenate([column.values for column in columns])
        mask = None
        if any(column.mask is not None for column in columns):
            mask = np.concatenate([column.is_null() for column in columns])
        return Column(values, columns[0].type, mask, columns[0].categories)

    def take(self, index: Array) -> Column:
        """The rows at the int positions `index`, in that order; a position may come more than once."""
        mask = None if self.mask is None else np.take(self.mask, index)
        return Column(np.take(self.values, index), self.type, mask, self.categories)

    def slice(self, start: int, stop: int) -> Column:
        """The rows in [start, stop), as a view."""
        mask = None if self.mask is None else self.mask[start:stop]
        return Column(self.values[start:stop], self.type, mask, self.categories)

    def is_null(self) -> Array:
        """bool[n], true where the value is null."""
        return np.zeros(len(self), bool) if self.mask is None else self.mask

    def with_nulls(self, mask: Array | None) -> Column:
        """The same column with further nulls where `mask` (bool[n], or None for nowhere) is true."""
        if mask is None:
            return self
        return Column(self.values, self.type, mask if self.mask is None else self.mask | mask, self.categories)

    def floats(self) -> Array:
        """The values as float64[n], nulls as NaN, times in microseconds, booleans as 0 and 1.

        Raises TypeError for strings and nested values.
        """
        column = self.decoded()
        if column.categories is not None:
            raise TypeError(f"a column of type {self.type} has no numbers")
        values = column.values.astype(np.float64, copy=False)
        return values if column.mask is None else np.where(column.mask, np.nan, values)

    def decoded(self) -> Column:
        """The same column without codes, where the categories are numbers; otherwise the column itself."""
        if self.categories is None or not _is_plain(self.categories.type):
            return self
        return _of_arrow(self.categories).take(self.values).with_nulls(self.mask)

    def to_arrow(self) -> pa.Array:
        """The column as an Arrow array of `type`, without a copy where the memory layouts agree."""
        if self.categories is None:
            return _plain_to_arrow(self.values, self.type, self.mask)
        if self.mask is None and not pa.types.is_dictionary(self.type) and _is_identity(self.values, self.categories):
            return self.categories
        codes = _arrow(self.values, pa.from_numpy_dtype(self.values.dtype), self.mask)
        if pa.types.is_dictionary(self.type):
            return pa.DictionaryArray.from_arrays(codes, self.categories, safe=False)
        return self.categories.take(codes)

    def to_polars(self, name: str) -> pl.Series:
        """The column as a polars series called `name`; codes are resolved to the values that they stand for."""
        import polars

        array = self.to_arrow()
        return polars.Series(name, array.dictionary_decode() if pa.types.is_dictionary(array.type) else array)


def _is_plain(kind: pa.DataType) -> bool:
    """Whether values of a type are held as numbers."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date32)
    return kind == TIME_TYPE or any(test(kind) for test in tests)


def _is_identity(codes: Array, pool: pa.Array) -> bool:
    return len(codes) == len(pool) and np.array_equal(codes, np.arange(len(codes), dtype=codes.dtype))


def _of_numpy(data: Array, kind: pa.DataType | None) -> Column:
    if data.dtype.kind == "M":
        return Column(data.astype("datetime64[us]").view(np.int64), TIME_TYPE, np.isnat(data) if len(data) else None)
    if kind is None:
        return Column(data, pa.from_numpy_dtype(data.dtype))
    return Column(data.astype(_numpy_type(kind), copy=False), kind)


def _numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    if kind == TIME_TYPE:
        return np.dtype(np.int64)
    return np.dtype(np.int32) if pa.types.is_date32(kind) else np.dtype(kind.to_pandas_dtype())


def _of_arrow(array: pa.Array) -> Column:
    mask = np.asarray(array.is_null()) if array.null_count else None
    if pa.types.is_dictionary(array.type):
        codes = array.indices if mask is None else array.indices.fill_null(0)
        return Column.coded(np.from_dlpack(codes), array.dictionary, mask)
    if pa.types.is_timestamp(array.type):
        array = array.cast(TIME_TYPE)
    if not _is_plain(array.type):
        return Column.pooled(np.arange(len(array), dtype=np.int32), array, mask)
    kind, array = array.type, _storage(array)
    if mask is not None:
        array = array.fill_null(pa.scalar(0, pa.int8()).cast(array.type))
    return Column(array.to_numpy(zero_copy_only=False), kind, mask)


def _storage(array: pa.Array) -> pa.Array:
    if array.type == TIME_TYPE:
        return array.view(pa.int64())
    return array.view(pa.int32()) if pa.types.is_date32(array.type) else array


def _plain_to_arrow(values: Array, kind: pa.DataType, mask: Array | None) -> pa.Array:
    held = pa.from_numpy_dtype(values.dtype)
    if kind.bit_width == held.bit_width:
        return _arrow(values, kind, mask)
    return _arrow(values, held, mask).cast(kind)


def _arrow(values: Array, kind: pa.DataType, mask: Array | None) -> pa.Array:
    # pa.array would import pandas, if that is installed, for a tenth of a second; and scan what is not null.
    data = _bits(values) if values.dtype == np.bool_ else np.ascontiguousarray(values)
    valid = None if mask is None else pa.py_buffer(_bits(~mask))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(data)])


def _bits(flags: Array) -> Array:
    return np.packbits(flags, bitorder="little")


def strings(values: Sequence[str]) -> pa.Array:
    """An Arrow array of strings."""
    encoded = [value.encode() for value in values]
    offsets = np.fromiter(accumulate(map(len, encoded), initial=0), np.int32, len(encoded) + 1)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def _share_categories(columns: Sequence[Column]) -> Sequence[Column]:
    pools: list[Any] = [column.categories for column in columns]
    if all(pool is pools[0] or pool.equals(pools[0]) for pool in pools):
        return columns
    if pa.types.is_dictionary(columns[0].type):
        pool = pc.unique(pa.concat_arrays(pools))
        maps = [np.from_dlpack(pc.index_in(old, pool)) for old in pools]
        codes = [new[column.values] if len(new) else column.values for new, column in zip(maps, columns, strict=True)]
    else:
        pool = pa.concat_arrays(pools)
        starts = accumulate((len(old) for old in pools[:-1]), initial=0)
        codes = [column.values + np.int32(start) for start, column in zip(starts, columns, strict=True)]
    return [
        Column(code.astype(np.int32, copy=False), column.type, column.mask, pool)
        for code, column in zip(codes, columns, strict=True)
    ]


def fixed_width_text(characters: Array) -> Column:
    """Text from the UTF-8 bytes uint8[n, w] of n strings of w bytes each, without a copy."""
    length, width = characters.shape
    offsets = np.arange(length + 1, dtype=np.int32) * np.int32(width)
    return Column.of(
        pa.StringArray.from_buffers(length, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))
    )
