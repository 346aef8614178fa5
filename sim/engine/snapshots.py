"""Snapshots: a simulation between two windows, kept in a folder, so that another process goes on from there.

A snapshot holds nothing that the scenario, the seed and the shard do not say: it spares the time of simulating what is
delivered already, and where there is none that serves, everything is simulated again. It is Python's pickle, which
means that whoever can write into the folder can run code as whoever reads it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from sim.engine.world import World

LOG = logging.getLogger("datagen.engine")
LOG.addHandler(logging.NullHandler())

EVERY = 1 << 24
"""Facts of a shard from one snapshot to the next, at least: some seconds of simulation."""

_DIGEST, _PIECE = 32, 1 << 20


def passes(before: int, after: int) -> bool:
    """Whether a snapshot is due at the end of the window in which the count of facts goes from `before` to `after`."""
    return before // EVERY != after // EVERY


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is between two windows: the world, the number of windows behind it, and what has become of their facts.

    The world is None where others keep it, in parts. `written` counts what has come out of the run by then, by names,
    and `stages` has what the stages between the simulation and its sinks know.
    """

    windows: int
    until: int
    written: dict[str, int]
    world: World | None
    stages: tuple[Any, ...] = ()


class Snapshots:
    """The snapshots of one run's shard in `folder`, which several shards and runs may share.

    `digest` is that of the model, `stages` tells which ones there are on the way to the sinks.
    """

    def __init__(
        self, folder: Path, digest: str, seed: int, shard: tuple[int, int], stages: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        # Objects are kept as the libraries have them, in whatever version.
        libraries = [f"{name} {version(name)}" for name in ("numpy", "pyarrow")]
        key = "\n".join([digest, str(seed), platform.python_version(), *libraries, *stages])
        number, count = shard
        self._name = f"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{number}-of-{count}"
        self._able = True

    def put(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; a world that cannot be kept, for the functions of a user in it, is passed over."""
        if not self._able:
            return
        try:
            _write(self._folder / f"{self._name}-{snapshot.windows:08d}.snapshot", snapshot)
        except (pickle.PicklingError, AttributeError, TypeError, OSError) as reason:
            # The facts do not depend on it, and the disk may have room for them where it has none for this.
            LOG.warning("%s: no snapshots; --resume works without them, but takes longer: %s", self._folder, reason)
            self._able = False

    def find(self, there: Mapping[str, int]) -> Snapshot | None:
        """The latest snapshot of which no more is written than is `there`, by name; None where there is none."""
        for _, path in sorted(self._paths(), reverse=True):
            found = _read(path)
            if found is not None and all(count <= there.get(name, 0) for name, count in found.written.items()):
                return found
        return None

    def before(self, windows: int) -> Snapshot | None:
        """The latest snapshot with no more than so many windows behind it; None where there is none."""
        earlier = (_read(path) for number, path in sorted(self._paths(), reverse=True) if number <= windows)
        return next((found for found in earlier if found is not None), None)

    def settle(self, windows: int) -> None:
        """Delete the snapshots that none will ask for again, once nobody goes back behind so many windows."""
        last = max((number for number, _ in self._paths() if number <= windows), default=0)
        for number, path in self._paths():
            if number < last:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all of them, and the folder if nothing else is in it."""
        for _, path in self._paths():
            path.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _paths(self) -> list[tuple[int, Path]]:
        """The windows behind each snapshot, and where it is."""
        name = re.compile(rf"{re.escape(self._name)}-(\d+)\.snapshot")
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        return [(int(match[1]), path) for path in paths if (match := name.fullmatch(path.name))]


class _Hashed:
    """A file that knows the digest of what was written to it."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write, and take note."""
        self.digest.update(content)
        return self._output.write(content)


def _write(path: Path, snapshot: Snapshot) -> None:
    """Put a snapshot at `path`, in one step, and its digest behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        # It is as private as the facts need to be, which only their owner knows.
        with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            hashed = _Hashed(output)
            pickle.dump(snapshot, hashed, pickle.HIGHEST_PROTOCOL)
            output.write(hashed.digest.digest())
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def _read(path: Path) -> Snapshot | None:
    """The snapshot at `path`; None where it is damaged, as one may be that was written when a machine died."""
    try:
        with path.open("rb") as kept:
            _check(kept)
            kept.seek(0)
            found: Any = pickle.load(kept)
    except Exception as reason:
        # Whatever is wrong with it: it saves time, and nothing depends on it.
        LOG.warning("%s cannot be gone on from, so what came before is simulated again: %s", path, reason)
        return None
    return found if isinstance(found, Snapshot) else None


def _check(kept: BinaryIO) -> None:
    """Raise ValueError where the digest at the end is not that of what is before it."""
    left = max(os.fstat(kept.fileno()).st_size - _DIGEST, 0)
    digest = hashlib.sha256()
    while left and (piece := kept.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    if kept.read() != digest.digest():
        raise ValueError("the file is damaged")
