"""Running a model: the facts in order, for one shard or all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sim.batch import Batch
from sim.engine.kernel import run
from sim.engine.resumable import Resumable, Shard
from sim.engine.snapshots import Snapshot
from sim.engine.world import World
from sim.errors import ParameterError
from sim.model.model import Model


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
    return iter(Simulation(model, seed, shard))


class Simulation(Resumable):
    """A simulation that can be gone on with: its batches, as `simulate` gives them.

    A model with a user's own processes keeps no snapshots: what these have in mind cannot be written down.
    """

    def __init__(
        self,
        model: Model,
        seed: int | None = None,
        shard: Shard | str | None = None,
        folder: Path | None = None,
    ) -> None:
        if seed is not None and not 0 <= seed < 2**63:
            raise ParameterError(f"seed {seed}: must be from 0 to 2**63 - 1")
        own = (parse_shard(shard) if isinstance(shard, str) else shard) or (1, 1)
        seed = model.seed if seed is None else seed
        super().__init__(model, seed, own, None if model.processes else folder)
        self._own = blocks_of(model, own)
        self._passed = 0

    def pass_over(self, windows: int) -> None:
        """Begin behind so many windows: what is between these and the latest snapshot of no more is simulated, and
        dropped. To be called before the first batch is taken.
        """
        self._passed = windows
        self._from = None if self._snapshots is None else self._snapshots.before(windows)
        if self._from is not None:
            self._facts = dict(self._from.written)

    def __iter__(self) -> Iterator[Batch]:
        ahead = self._passed - (0 if self._from is None else self._from.windows)
        return islice(super().__iter__(), max(0, ahead) * len(self._model.streams), None)

    def _begin(self, begun: Snapshot | None) -> tuple[World, Iterator[Batch]]:
        world = World(self._model, self._seed, self._own) if begun is None or begun.world is None else begun.world
        return world, run(world, self._model.processes, 0 if begun is None else begun.windows)
