"""Columns that hold instants: reading them as microseconds, whatever their type, and moving them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sim.batch import TIME_TYPE
from sim.errors import ParameterError

Times = NDArray[np.int64]

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
"""Units in which whole numbers count from the epoch."""

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """The column that says when a row happened; `unit` is what whole numbers in it count."""

    column: str
    unit: str | None = None

    @classmethod
    def of(cls, text: str, schema: pa.Schema, place: str) -> Clock:
        """The clock that `COLUMN` or `COLUMN:UNIT` means. Raises ParameterError where `schema` has no such instants."""
        column, colon, unit = text.rpartition(":")
        if text in schema.names or not colon:
            column, unit = text, ""
        if column not in schema.names:
            raise ParameterError(f"{place}: there is no column {column!r} (it has {', '.join(schema.names)})")
        kind = schema.field(column).type
        if pa.types.is_integer(kind):
            if unit not in NANOSECONDS:
                known = "s, ms, us or ns"
                raise ParameterError(
                    f"{place}: {column} is {kind}: say what it counts, as in --time {column}:ms ({known})"
                )
            return cls(column, unit)
        if unit or not is_instant(kind):
            raise ParameterError(f"{place}: {column} is {kind}, which is not an instant" + f" in {unit}" * bool(unit))
        return cls(column)

    def times(self, column: pa.Array) -> Times:
        """Microseconds since the epoch, int64[n]; instants without a time zone are UTC.

        Raises ParameterError for nulls and for text that is not an instant.
        """
        if column.null_count:
            raise ParameterError(f"{self.column} is null in {column.null_count:,} of {len(column):,} rows")
        if self.unit is not None:
            numbers = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
            nanoseconds = NANOSECONDS[self.unit]
            return numbers * (nanoseconds // 1000) if nanoseconds >= 1000 else numbers // 1000
        return _microseconds(column, self.column)

    def least_and_most(self, statistics: Any, logical: str, kind: pa.DataType) -> tuple[int, int] | None:
        """First and last instant of a Parquet column chunk by its statistics; None where those do not tell."""
        raw = (statistics.min_raw, statistics.max_raw)
        if not all(isinstance(value, int) for value in raw):
            return None
        if pa.types.is_date32(kind):
            return raw[0] * _DAY, raw[1] * _DAY
        unit = self.unit or next((unit for name, unit in _LOGICAL.items() if name in logical), None)
        if unit is None:
            return None
        nanoseconds = NANOSECONDS[unit]
        return raw[0] * nanoseconds // 1000, raw[1] * nanoseconds // 1000


_LOGICAL = {"nanoseconds": "ns", "microseconds": "us", "milliseconds": "ms"}


def is_instant(kind: pa.DataType) -> bool:
    """Whether a column of that type can say when something happened, without a unit beside it."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or is_text(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether it is a type of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _microseconds(column: pa.Array, name: str) -> Times:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if is_text(kind):
        column = parsed(column, name)
    elif pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
    safe = pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False)
    numbers = safe.cast(pa.int64())
    times: Times = np.asarray(numbers.to_numpy(zero_copy_only=False), np.int64)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # casting rounds towards zero, which is later before 1970
        exact = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
        return exact // 1000
    return times


def parsed(column: pa.Array, name: str) -> pa.Array:
    """ISO 8601 text as timestamps, UTC; without an offset it is UTC already. Raises ParameterError with a bad one."""
    text = column.cast(pa.string())
    zoned = pc.match_substring_regex(text, r"(Z|[+-]\d{2}:?\d{2})$")
    try:
        if pc.all(zoned).as_py() is not False:
            return text.cast(TIME_TYPE)
        if not pc.any(zoned).as_py():
            return text.cast(pa.timestamp("us")).cast(TIME_TYPE)
        return pc.if_else(zoned, text, pc.binary_join_element_wise(text, "Z", "")).cast(TIME_TYPE)
    except pa.ArrowInvalid as error:
        raise ParameterError(f"{name} has text that is not an instant in ISO 8601: {error}") from None


def moved(column: pa.Array, by: int | Times, unit: str | None = None) -> pa.Array:
    """The column with its instants `by` microseconds later, one amount for all or int64[n].

    That holds for timestamps, those inside lists and structs too (by one amount only), and for whole numbers that
    count `unit`; anything else stays as it is.
    """
    kind = column.type
    if unit is not None or pa.types.is_timestamp(kind):
        nanoseconds = NANOSECONDS[unit or kind.unit]
        steps = by * 1000 // nanoseconds
        numbers = pc.add(column.cast(pa.int64()), pa.scalar(steps) if isinstance(steps, int) else pa.array(steps))
        return numbers.cast(kind)
    if not holds_instants(kind) or not isinstance(by, int):
        return column
    return _moved_inside(column, by)


def holds_instants(kind: pa.DataType) -> bool:
    """Whether there are timestamps in values of that type."""
    if pa.types.is_nested(kind):
        return any(holds_instants(kind.field(number).type) for number in range(kind.num_fields))
    return bool(pa.types.is_timestamp(kind))


def _moved_inside(column: pa.Array, by: int) -> pa.Array:
    import polars as pl

    # polars has expressions that reach into lists and structs, nulls on the way included.
    alone = pl.Series("value", column).to_frame()
    done = alone.select(_later(pl.col("value"), alone.schema["value"], pl.duration(microseconds=by)))
    return done.to_series().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(column.type)


def _later(value: Any, kind: Any, by: Any) -> Any:
    import polars as pl

    match kind:
        case pl.Datetime():
            return value + by
        case pl.List():
            return value.list.eval(_later(pl.element(), kind.inner, by))
        case pl.Struct():
            return value.struct.with_fields([_later(pl.field(part.name), part.dtype, by) for part in kind.fields])
    return value
