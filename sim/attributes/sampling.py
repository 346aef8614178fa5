"""Drawing from discrete distributions, many draws at a time.

`Alias` is for a fixed list of weights, `Cumulative` for one that grows and is cut off at a different place for every
draw. Both give the exact distribution, up to the resolution of the 53-bit uniforms that they consume.
"""

from __future__ import annotations

import numpy as np

from sim.attributes.column import Array
from sim.maths.normal import normal_cdf

CHUNK = 1 << 15
"""Draws at a time: what a chunk needs stays in the second-level cache, which halves the time per draw."""

_MOST_CELLS = 1 << 22
_LEAST_TOTAL = 1e-200


class Alias:
    """The alias method (Walker 1977) with Vose's construction (1991): two table look-ups a draw."""

    def __init__(self, weights: Array) -> None:
        """Prepare for `weights` float64[k] >= 0 with a positive sum."""
        self._accept, alias = _vose(np.asarray(weights, np.float64))
        # A position and its alias stand side by side: one look-up, after the choice between them.
        self._pairs = np.stack([np.arange(len(alias), dtype=np.int32), alias], axis=1).ravel()

    def draw(self, rng: np.random.Generator, length: int) -> Array:
        """int32[length]: positions in the list of weights."""
        result = np.empty(length, np.int32)
        for start in range(0, length, CHUNK):
            self._fill(rng, result[start : start + CHUNK])
        return result

    def _fill(self, rng: np.random.Generator, out: Array) -> None:
        scaled = rng.random(len(out))
        # Always below the number of weights k: the uniform is at most 1 - 2**-53, and (1 - 2**-53) k rounds to less.
        scaled *= len(self._accept)
        cell = scaled.astype(np.intp)
        scaled -= cell
        other = scaled >= self._accept.take(cell)
        cell += cell
        cell += other
        self._pairs.take(cell, out=out, mode="clip")


def _vose(weights: Array) -> tuple[Array, Array]:
    """Acceptance float64[k] and alias int32[k]; a loop over the k weights, which a scenario lists by hand."""
    size = len(weights)
    accept = weights * (size / weights.sum())
    alias = np.arange(size, dtype=np.int32)
    small = list(np.flatnonzero(accept < 1))
    large = list(np.flatnonzero(accept >= 1))
    while small and large:
        less, more = small.pop(), large.pop()
        alias[less] = more
        accept[more] -= 1 - accept[less]
        (small if accept[more] < 1 else large).append(more)
    accept[[*small, *large]] = 1.0
    return accept, alias


def quantile(weights: Array, normal: Array) -> Array:
    """int64[n]: for each standard normal number, the position in `weights` float64[k] that has its quantile."""
    sums = np.cumsum(weights)
    return np.searchsorted(sums[:-1] / sums[-1], normal_cdf(normal), side="right")


class Cumulative:
    """Cumulative weights of a list that only grows, with a guide table for searching them (Chen and Asau 1974).

    What `search` returns does not depend on when the list grew: sums run strictly from left to right, and the guide
    narrows the search without deciding it.
    """

    def __init__(self) -> None:
        self._buffer: Array = np.zeros(1024)
        self._size = 0
        self._guide: Array = np.zeros(0, np.int32)
        self._scale = 0.0
        self._guided = 0

    def __len__(self) -> int:
        return self._size

    @property
    def sums(self) -> Array:
        """float64[n + 1]: the sum of the weights before each position, and the total."""
        return self._buffer[: self._size + 1]

    def extend(self, weights: Array) -> None:
        """Append weights float64[m] >= 0."""
        more = np.cumsum(np.concatenate([self.sums[-1:], weights]))
        if self._size + len(more) > len(self._buffer):
            grown = np.zeros(max(2 * len(self._buffer), self._size + len(more)))
            grown[: self._size + 1] = self.sums
            self._buffer = grown
        self._buffer[self._size : self._size + len(more)] = more
        self._size += len(weights)

    def search(self, x: Array) -> Array:
        """int64[n]: for each x in [0, total) the position whose weight covers it, the first with a sum above x.

        All 0 while the list is empty.
        """
        if len(self) > 1.125 * self._guided:
            self._build()
        result = np.zeros(len(x), np.int64)
        for start in range(0, len(x) if len(self) else 0, CHUNK):
            result[start : start + CHUNK] = self._search(x[start : start + CHUNK])
        return result

    def _build(self) -> None:
        """One cell per half of a mean weight, so that half a comparison per draw is left to be done."""
        size = len(self)
        cells = min(_MOST_CELLS, 1 << max(4, int(2 * size - 1).bit_length()))
        total = float(self.sums[-1])
        if total < _LEAST_TOTAL:
            cells = 0  # no guide: every search is over the whole list
        self._scale = cells / total if cells else 0.0
        places = (self.sums[1:] * self._scale).astype(np.int64)
        self._guide = np.searchsorted(places, np.arange(cells + 2)).astype(np.int32)
        self._guided = size

    def _search(self, x: Array) -> Array:
        cell = np.minimum(x * self._scale, len(self._guide) - 2).astype(np.int64)
        low = np.take(self._guide, cell).astype(np.int64)
        high = np.take(self._guide, cell + 1)
        late = cell >= len(self._guide) - 2
        open_ = np.flatnonzero((low < high) | late)
        if len(open_):
            low[open_] = self._bisect(x[open_], low[open_], np.where(late[open_], len(self) - 1, high[open_]))
        return low

    def _bisect(self, x: Array, low: Array, high: Array) -> Array:
        while np.any(low < high):
            middle = (low + high) >> 1
            above = np.take(self.sums, middle + 1) > x
            high = np.where(above, middle, high)
            low = np.where(above, low, middle + 1)
            low = np.minimum(low, high)
        return low


def mix(seed: int, ids: Array) -> Array:
    """float64[n] in [0, 1): a hash of each id with a seed, the same whenever and wherever it is asked for.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    with np.errstate(over="ignore"):
        z = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
