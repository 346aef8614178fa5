"""Running a model: the facts in order, for one shard or all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from threading import Thread

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
        self._begun: Iterator[Batch] | None = None

    def begin(self) -> None:
        """Make the first window from now on, on a thread of its own, so that whoever will take it can prepare for it.

        Does nothing where snapshots are kept, for they must not change before the output is known to take the facts,
        nor for a user's own processes, which may not like to change threads.
        """
        if self._snapshots is None and not self._model.processes:
            self._begun = _begun(self._batches(), len(self._model.streams))

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
        return self._batches() if self._begun is None else self._begun

    def _batches(self) -> Iterator[Batch]:
        kept = self._from
        world = World(self._model, self._seed, self._own) if kept is None else kept.world
        batches = run(world, self._model.processes, 0 if kept is None else kept.windows)
        yield from batches if self._snapshots is None else self._keeping(world, batches, self._snapshots)

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


def _begun(batches: Iterator[Batch], count: int) -> Iterator[Batch]:
    """The same batches, of which the first are made from now on, on a thread of its own."""
    first: Future[list[Batch]] = Future()

    def begin() -> None:
        try:
            first.set_result([*islice(batches, count)])
        except BaseException as error:
            first.set_exception(error)

    def whole() -> Iterator[Batch]:
        yield from first.result()
        yield from batches

    # A daemon: nobody is to wait for a window that nobody wants any more.
    Thread(target=begin, name="datagen-begin", daemon=True).start()
    return whole()
