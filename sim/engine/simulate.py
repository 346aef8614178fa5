"""Running a model: the facts in order, for one shard or all."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.batch import Batch
from sim.engine.kernel import run
from sim.engine.world import World
from sim.errors import ParameterError
from sim.model.model import Model

Shard = tuple[int, int]


def parse_shard(text: str) -> Shard:
    """`2/8` as (2, 8): the second of eight shards. Raises ParameterError."""
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip())
    if match is None:
        raise ParameterError(f"--shard {text!r}: expected NUMBER/COUNT, such as 2/8")
    return int(match[1]), int(match[2])


def blocks_of(model: Model, shard: Shard) -> frozenset[int]:
    """The blocks that a shard runs: every COUNT-th. Raises ParameterError for a shard that cannot be."""
    number, count = shard
    if not 1 <= number <= count:
        raise ParameterError(f"shard {number}/{count}: the number must be from 1 to {count}")
    if count > model.blocks:
        raise ParameterError(
            f"shard {number}/{count}: {model.name} has {model.blocks} blocks, so at most that many shards"
        )
    if count > 1 and not model.shardable:
        raise ParameterError(f"shard {number}/{count}: {unshardable(model)}")
    return frozenset(range(number - 1, model.blocks, count))


def unshardable(model: Model) -> str:
    """Why a model with resources runs in one piece, in words."""
    names = ", ".join(resource.name for resource in model.resources)
    return f"all cases of {model.name} share {names}, so it runs in one piece: one shard, one worker"


def simulate(model: Model, seed: int | None = None, shard: Shard | str | None = None) -> Iterator[Batch]:
    """The facts of `model`, window by window: one batch for every stream (possibly empty), by rank.

    The same model and seed (the scenario's own, if None) give the same facts, and the union over the shards of any
    count equals the facts of a run without shards, row for row.
    """
    if seed is not None and not 0 <= seed < 2**63:
        raise ParameterError(f"seed {seed}: must be from 0 to 2**63 - 1")
    if isinstance(shard, str):
        shard = parse_shard(shard)
    own = blocks_of(model, shard or (1, 1))
    return run(World(model, model.seed if seed is None else seed, own), model.processes)
