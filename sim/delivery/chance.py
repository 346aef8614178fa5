"""Chance that belongs to a fact or an entity: a function of the seed, of what is drawn, and of the id.

Not of the position: the same fact meets the same fate however the run is cut into windows, shards and workers.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, name: str, ids: Ids) -> Floats:
    """One number in [0, 1) for each id, of the named draw of a run: float64[n]."""
    key = hashlib.blake2b(name.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest()
    mixed = _mix(_mix(ids.astype(np.uint64) * _GOLDEN) ^ np.uint64(int.from_bytes(key, "little")))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection whose bits all depend on all others."""
    words = (words ^ words >> np.uint64(30)) * _ONE
    words = (words ^ words >> np.uint64(27)) * _TWO
    mixed: NDArray[np.uint64] = words ^ words >> np.uint64(31)
    return mixed
