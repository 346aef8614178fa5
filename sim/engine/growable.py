"""Arrays and columns that grow at the end, at amortised constant cost per element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sim.attributes.column import Column


class Growable:
    """A one-dimensional array with room to grow; `values` is a view of what is filled."""

    __slots__ = ("_buffer", "_size")

    def __init__(self, dtype: DTypeLike, capacity: int = 64) -> None:
        self._buffer = np.empty(capacity, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[Any]:
        """The elements, as a view that stays valid until the next `extend`."""
        return self._buffer[: self._size]

    def extend(self, values: NDArray[Any]) -> None:
        """Append `values`."""
        size = self._size + len(values)
        if size > len(self._buffer):
            # A first large extension is kept exact: a population that is all there at the start wastes nothing.
            capacity = size if self._size == 0 else max(size, self._size + self._size // 2)
            grown = np.empty(capacity, dtype=self._buffer.dtype)
            grown[: self._size] = self.values
            self._buffer = grown
        self._buffer[self._size : size] = values
        self._size = size


class GrowableColumn:
    """A column that grows, whatever its kind: pieces are joined when it is read."""

    __slots__ = ("_pieces",)

    def __init__(self, *pieces: Column) -> None:
        self._pieces = list(pieces)

    def extend(self, column: Column) -> None:
        """Append the elements of `column`, which has the type of those before it."""
        self._pieces.append(column)

    @property
    def column(self) -> Column:
        """All elements."""
        if len(self._pieces) > 1:
            self._pieces = [Column.concat(self._pieces)]
        return self._pieces[0]
