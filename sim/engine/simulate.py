"""Running a model: the facts in order, for one shard or all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

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


class Stage(Protocol):
    """What stands between a simulation and its sinks, and has something in mind that a snapshot must hold, too."""

    @property
    def key(self) -> str:
        """What distinguishes a run that has it from others of the same model."""

    @property
    def facts(self) -> Mapping[str, int]:
        """The facts that have come out so far, under the names by which `leap` is told of them: they stand for those of
        the same name that have come into it.
        """

    def keep(self, until: int) -> tuple[Mapping[str, int], Any]:
        """What else than facts is written of all before `until`, by names; and what has to be known to go on."""

    def restore(self, state: Any) -> None:
        """Go on from what `keep` has given."""


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
        self._shard = (parse_shard(shard) if isinstance(shard, str) else shard) or (1, 1)
        self._model = model
        self._seed = model.seed if seed is None else seed
        self._own = blocks_of(model, self._shard)
        self._folder = None if model.processes else folder
        self._stages: list[Stage] = []
        self._facts = {stream.name: 0 for stream in model.streams}
        self._kept: dict[int, int] = {}
        self._settled = model.start
        self._from: Snapshot | None = None

    @property
    def total(self) -> int:
        """The facts that have come out of it, or of the last stage, those included that were passed over."""
        return sum(self._out().values())

    def attach(self, stage: Stage) -> None:
        """The facts go through `stage`, behind those attached before. To be called before all else."""
        self._stages.append(stage)

    def leap(self, there: Mapping[str, int]) -> dict[str, int]:
        """Begin behind the latest snapshot of which no more is written than is `there`, by name; what that is.

        To be called before the first batch is taken; nothing where no snapshot serves.
        """
        self._from = None if self._snapshots is None else self._snapshots.find(there)
        if self._from is None:
            return {}
        for stage, state in zip(self._stages, self._from.stages, strict=True):
            stage.restore(state)
        self._facts = {name: self._from.written[name] for name in self._facts}
        return dict(self._from.written)

    def settle(self, until: int) -> None:
        """A run that is gone on with will find all that was written before the instant `until` (microseconds): of the
        snapshots only the last of these is needed. May be called from another thread.
        """
        self._settled = until
        self._tidy()

    def finish(self) -> None:
        """Delete the snapshots: there is nothing left to go on with."""
        if self._snapshots is not None:
            self._snapshots.clear()

    def __iter__(self) -> Iterator[Batch]:
        begun = self._from
        world = World(self._model, self._seed, self._own) if begun is None else begun.world
        batches = run(world, self._model.processes, 0 if begun is None else begun.windows)
        return batches if self._snapshots is None else self._keeping(world, batches, self._snapshots)

    @cached_property
    def _snapshots(self) -> Snapshots | None:
        if self._folder is None:
            return None
        keys = [stage.key for stage in self._stages]
        return Snapshots(self._folder, self._model.digest, self._seed, self._shard, keys)

    def _keeping(self, world: World, batches: Iterator[Batch], snapshots: Snapshots) -> Iterator[Batch]:
        number = 0 if self._from is None else self._from.windows
        while window := tuple(islice(batches, len(self._model.streams))):
            before, until = self.total, window[0].until
            yield from window
            # Whoever asks for more has put all of the window through the stages.
            number += 1
            for batch in window:
                self._facts[batch.stream.name] += len(batch)
            if until < self._model.end and passes(before, self.total):
                snapshots.put(self._snapshot(number, until, world))
                self._kept[until] = number
                self._tidy()

    def _snapshot(self, number: int, until: int, world: World) -> Snapshot:
        kept = [stage.keep(until) for stage in self._stages]
        written = self._out()
        for rows, _ in kept:
            written |= rows
        return Snapshot(number, until, written, world, tuple(state for _, state in kept))

    def _out(self) -> dict[str, int]:
        facts = dict(self._facts)
        for stage in self._stages:
            facts |= stage.facts
        return facts

    def _tidy(self) -> None:
        settled = [number for until, number in list(self._kept.items()) if until <= self._settled]
        if settled and self._snapshots is not None:
            self._snapshots.settle(max(settled))
