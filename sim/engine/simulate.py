"""Running a model: the facts in order, for one shard or all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from sim.batch import Batch
from sim.engine.kernel import run
from sim.engine.snapshots import Snapshot, Snapshots, passes
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
    return iter(Simulation(model, seed, shard))


class Simulation:
    """A simulation that can be gone on with: its batches, as `simulate` gives them, to be iterated over once.

    With `folder` it keeps snapshots there, one each `EVERY` facts; `leap` then passes over what an earlier process has
    simulated, and `settle` says which snapshots are still of use. A model with a user's own processes keeps none: what
    these have in mind cannot be written down.
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
        number = (parse_shard(shard) if isinstance(shard, str) else shard) or (1, 1)
        self._model = model
        self._seed = model.seed if seed is None else seed
        self._own = blocks_of(model, number)
        keeps = folder is not None and not model.processes
        self._snapshots = Snapshots(folder, model.digest, self._seed, number) if folder and keeps else None
        self._kept: dict[int, int] = {}
        self._from: Snapshot | None = None

    def leap(self, there: Mapping[str, int]) -> dict[str, int]:
        """Begin behind the latest snapshot with no more facts of any stream than are `there`; its facts by stream.

        To be called before the first batch is taken; nothing where no snapshot serves.
        """
        self._from = None if self._snapshots is None else self._snapshots.find(there)
        return {} if self._from is None else dict(self._from.facts)

    def settle(self, until: int) -> None:
        """A run that is gone on with will find the facts before the instant `until` (microseconds): of the snapshots
        only the last of these is needed. May be called from another thread.
        """
        if self._snapshots is not None and (windows := self._kept.get(until)) is not None:
            self._snapshots.settle(windows)

    def finish(self) -> None:
        """Delete the snapshots: there is nothing left to go on with."""
        if self._snapshots is not None:
            self._snapshots.clear()

    def __iter__(self) -> Iterator[Batch]:
        begun = self._from
        world = World(self._model, self._seed, self._own) if begun is None else begun.world
        batches = run(world, self._model.processes, 0 if begun is None else begun.windows)
        return batches if self._snapshots is None else self._keeping(world, batches, self._snapshots)

    def _keeping(self, world: World, batches: Iterator[Batch], snapshots: Snapshots) -> Iterator[Batch]:
        counts = {stream.name: 0 for stream in self._model.streams}
        number = 0
        if self._from is not None:
            counts, number = dict(self._from.facts), self._from.windows
        while window := tuple(islice(batches, len(self._model.streams))):
            before, number = sum(counts.values()), number + 1
            for batch in window:
                counts[batch.stream.name] += len(batch)
            if passes(before, sum(counts.values())):
                until = window[0].until
                snapshots.put(Snapshot(number, until, dict(counts), world))
                self._kept[until] = number
            yield from window
