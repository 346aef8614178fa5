"""Who exists since when: the births of one kind of entity, to look ids up in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.quality.dataset import Dataset
from sim.quality.tables import quoted

Whole = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


class Births:
    """Ids and instants of birth; dense ids are places in an array, others are searched for."""

    def __init__(self, ids: Whole, born: Whole) -> None:
        """`ids` int64[n] and `born` int64[n], microseconds, in any order."""
        self.dense = bool(len(ids)) and int(ids.min()) >= 0 and int(ids.max()) < 8 * len(ids) + 1000
        if self.dense:
            self._born = np.full(int(ids.max()) + 1, NEVER, np.int64)
            self._born[ids] = born
        else:
            order = np.argsort(ids, kind="stable")
            self._ids, self._born = ids[order], born[order]

    @classmethod
    def of(cls, dataset: Dataset, stream: str, id: str) -> Births:
        """Those of a stream of births."""
        own = quoted(id)
        table = dataset.arrow(f"SELECT {own}, epoch_us(born_at) FROM {quoted(stream)} WHERE {own} IS NOT NULL")
        return cls(*(numbers(column) for column in table.columns))

    def at(self, ids: Whole) -> Whole:
        """When each of `ids` int64[m] was born, int64[m]; `NEVER` for those who are not there."""
        if not len(self._born):
            return np.full(len(ids), NEVER, np.int64)
        if self.dense:
            inside = (ids >= 0) & (ids < len(self._born))
            return np.where(inside, self._born[np.where(inside, ids, 0)], NEVER)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[place] == ids, self._born[place], NEVER)


def numbers(column: pa.ChunkedArray | pa.Array) -> Whole:
    """A column of whole numbers or instants as int64[n]; null is 0."""
    filled = column.fill_null(0) if column.null_count else column
    return np.asarray(
        filled.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if isinstance(filled, pa.Array)
        else filled.cast(pa.int64()).to_numpy(),
        np.int64,
    )
