"""Output of small runs in folders, for tests of what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worlds import SEED, model

from sim.delivery.pipeline import deliver
from sim.engine.simulate import simulate
from sinks.registry import open_sink
from sinks.run import Run


def written(mapping: Mapping[str, Any], url: str, seed: int = SEED, shards: int = 1) -> None:
    """Simulate a scenario into a sink of files, shard after shard."""
    made = model(mapping)
    for shard in range(1, shards + 1):
        run = Run(made.name, made.digest, seed, made.start, made.end, shard, shards)
        deliver(simulate(made, seed, (shard, shards)), open_sink(url), made.streams, run)


def files(folder: Path, stream: str) -> list[Path]:
    """The finished files of a stream."""
    return sorted(path for path in (folder / stream).rglob("part-*") if path.is_file())
