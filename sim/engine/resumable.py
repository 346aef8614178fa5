"""Runs that can be gone on with: snapshots while the facts come out, and leaps over what is there already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from sim.batch import Batch
from sim.engine.snapshots import Snapshot, Snapshots, passes
from sim.engine.world import World
from sim.model.model import Model

Shard = tuple[int, int]


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


class Resumable(ABC):
    """The batches of a shard of a run, to be iterated over once.

    With `folder` it keeps snapshots there, one each `EVERY` facts; `leap` then passes over what an earlier process has
    simulated, and `settle` says which snapshots are still of use. `key` distinguishes those of one way to come to the
    facts from those of others.
    """

    def __init__(self, model: Model, seed: int, shard: Shard, folder: Path | None, key: str = "") -> None:
        self._model = model
        self._seed = seed
        self._shard = shard
        self._folder = folder
        self._key = key
        self._stages: list[Stage] = []
        self._facts = {stream.name: 0 for stream in model.streams}
        self._kept: dict[int, int] = {}
        self._settled = model.start
        self._from: Snapshot | None = None

    @abstractmethod
    def _begin(self, begun: Snapshot | None) -> tuple[World | None, Iterator[Batch]]:
        """The batches behind a snapshot, or all; and the world that they come from, if it is in this process."""

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
        for own in self._all_snapshots():
            own.clear()

    def __iter__(self) -> Iterator[Batch]:
        world, batches = self._begin(self._from)
        return batches if self._snapshots is None else self._keeping(world, batches, self._snapshots)

    @cached_property
    def _snapshots(self) -> Snapshots | None:
        return self._snapshots_of(self._shard, self._key, *(stage.key for stage in self._stages))

    def _snapshots_of(self, shard: Shard, *keys: str) -> Snapshots | None:
        if self._folder is None:
            return None
        return Snapshots(self._folder, self._model.digest, self._seed, shard, [key for key in keys if key])

    def _all_snapshots(self) -> list[Snapshots]:
        """Its own, and those that others keep for it."""
        return [] if self._snapshots is None else [self._snapshots]

    def _keeping(self, world: World | None, batches: Iterator[Batch], snapshots: Snapshots) -> Iterator[Batch]:
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

    def _snapshot(self, number: int, until: int, world: World | None) -> Snapshot:
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
        for own in self._all_snapshots() if settled else []:
            own.settle(max(settled))
