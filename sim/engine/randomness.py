"""Named random streams: one generator per (seed, name of the thing, block, tick).

A generator depends on its name alone, never on how many others exist or in which order they are asked for, so that
adding a stream or an attribute leaves the others as they were, and shards agree without talking.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

EVERYWHERE = 0xFFFF
"""Block number of the streams that all blocks share: births, which every shard computes alike."""


@lru_cache(maxsize=65536)
def stable_hash(name: str) -> tuple[int, int]:
    """Two 32-bit words that depend on the characters of `name` only, on every platform and in every process."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


class Randomness:
    """The source of all generators of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generator(self, name: str, block: int = EVERYWHERE, tick: int = 0) -> np.random.Generator:
        """The generator of the thing called `name` (a path such as `order/amount`) in one block and tick."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(*stable_hash(name), block, tick))
        return np.random.Generator(np.random.PCG64DXSM(sequence))
