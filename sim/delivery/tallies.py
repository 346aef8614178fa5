"""True aggregates per window of event time: what an ideal pipeline would compute of one stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import TIME, TIME_TYPE, Batch, Stream

Ints = NDArray[np.int64]

_WORD = pa.dictionary(pa.int32(), pa.string())
_FIRST, _KEY, _NUMBER = "first", "key", "facts"


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


_COMMON = [
    _field(TIME, TIME_TYPE, "the beginning of the window"),
    _field("window_end", TIME_TYPE, "its end, this instant not included"),
    _field("stream", _WORD, "the stream"),
]
WINDOWS = Stream(
    "windows",
    pa.schema(
        [
            *_COMMON,
            _field("facts", pa.int64(), "how many facts happened in the window"),
            _field("keys", pa.int64(), "how many different keys they have"),
        ]
    ),
    "facts",
    "stream",
    1,
    "true counts by window of event time; windows without facts are left out",
)
SUMS = Stream(
    "sums",
    pa.schema(
        [
            *_COMMON,
            _field("column", _WORD, "a column of numbers that are neither ids nor keys"),
            _field("sum", pa.float64(), "the sum of its values that are not null"),
        ]
    ),
    "sum",
    "stream",
    2,
    "true sums by window of event time",
)


class Tally:
    """Counts one stream by windows of `span` microseconds; memory is the keys of the window that has not ended.

    `sums` names the columns that are added up.
    """

    def __init__(self, stream: Stream, span: int) -> None:
        self.stream = stream
        self._span = span
        self.sums = [field.name for field in stream.schema if summed(field, stream)]
        self._counts: list[pl.DataFrame] = []
        self._keys: list[pl.DataFrame] = []

    def add(self, batch: Batch) -> Iterator[tuple[Stream, pa.RecordBatch]]:
        """Count facts as they happened; gives the tables of windows that have ended."""
        if len(batch):
            key = batch.data.column(self.stream.key)
            plain = key.dictionary_decode() if pa.types.is_dictionary(key.type) else key
            numbers = {name: pl.Series(batch.data.column(name)).cast(pl.Float64) for name in self.sums}
            self.count(batch.times, pl.Series(plain), numbers)
        if self._counts:
            yield from self._tables(self._ended(batch.until))

    def close(self) -> Iterator[tuple[Stream, pa.RecordBatch]]:
        """The tables of what is left, however far the windows got."""
        if self._counts:
            yield from self._tables(self._ended(np.iinfo(np.int64).max))

    def count(self, times: Ints, keys: pl.Series, numbers: Mapping[str, pl.Series]) -> None:
        """Count facts with these event times (int64 microseconds) and keys; `numbers` are the columns of `sums`."""
        frame = pl.DataFrame({_FIRST: times // self._span * self._span, _KEY: keys, **numbers})
        self._counts.append(frame.group_by(_FIRST).agg(pl.len().cast(pl.Int64).alias(_NUMBER), pl.col(self.sums).sum()))
        self._keys.append(frame.select(_FIRST, _KEY).unique())

    def _ended(self, until: int) -> pl.DataFrame:
        """The windows that end by `until`, which are then forgotten."""
        counts = pl.concat(self._counts).group_by(_FIRST).agg(pl.col(_NUMBER, *self.sums).sum())
        keys = pl.concat(self._keys).unique()
        over = pl.col(_FIRST) <= until - self._span
        self._counts, self._keys = [counts.filter(~over)], [keys.filter(~over)]
        distinct = keys.filter(over).group_by(_FIRST).agg(pl.col(_KEY).count().cast(pl.Int64).alias("keys"))
        return counts.filter(over).join(distinct, on=_FIRST, how="left").sort(_FIRST)

    def _tables(self, found: pl.DataFrame) -> Iterator[tuple[Stream, pa.RecordBatch]]:
        if not len(found):
            return
        first = found[_FIRST].to_numpy()
        common = [
            pa.array(first, TIME_TYPE),
            pa.array(first + self._span, TIME_TYPE),
            self._word(self.stream.name, first),
        ]
        counts = [found[name].to_arrow() for name in (_NUMBER, "keys")]
        yield WINDOWS, pa.RecordBatch.from_arrays([*common, *counts], schema=WINDOWS.schema)
        for name in self.sums:
            columns = [*common, self._word(name, first), found[name].to_arrow()]
            yield SUMS, pa.RecordBatch.from_arrays(columns, schema=SUMS.schema)

    def frame(self) -> pl.DataFrame:
        """All that was counted and not yet given: `first`, `facts`, `keys` and the sums, one row a window, in order."""
        return self._ended(np.iinfo(np.int64).max) if self._counts else pl.DataFrame(schema={_FIRST: pl.Int64})

    @staticmethod
    def _word(text: str, rows: Ints) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), pa.array([text]))


def summed(field: pa.Field, stream: Stream) -> bool:
    """Whether sums of the column are of interest: numbers, but neither ids nor the key."""
    number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
    return bool(number) and field.name not in (stream.id, stream.key) and not field.name.endswith("_id")
