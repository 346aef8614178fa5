"""Where files go: names, hidden names while they are written, and the folder's ownership.

    DIR/manifest.json                                   or manifest-1-of-2.json, one a shard
    DIR/truth.json                                      what is true of the facts, where the scenario has any of it
    DIR/order/part-00001-1-of-1.parquet                 the stream's files, in order of time
    DIR/order/date=2024-03-31/part-00091-1-of-1.parquet with partition=date
    DIR/order/.part-00002-1-of-1.parquet.tmp            not finished: no reader looks at hidden names

All shards of a run may write into one folder at once; the shard is part of every name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import SinkError
from sinks import manifest
from sinks.manifest import Manifest
from sinks.run import Run

_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
_MANIFEST = re.compile(r"^manifest(-\d+-of-\d+)?\.json$")
_HIDDEN = re.compile(r"^\.(manifest(-\d+-of-\d+)?|truth)\.json\.tmp$")
_TRUTH = "truth.json"
_REPLACING = 0.1
"""Seconds in which another shard replaces an earlier run's manifest by its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names below `root` of one shard of a run, whose files are of one `kind`, which is also their suffix."""

    root: Path
    kind: str
    run: Run

    @property
    def manifest(self) -> Path:
        """Where this shard's manifest stands."""
        several = f"-{self.run.shard}-of-{self.run.shards}" if self.run.shards > 1 else ""
        return self.root / f"manifest{several}.json"

    def file(self, stream: str, partition: str, number: int) -> Path:
        """The finished name of a stream's file, counted from 1; `partition` may be empty."""
        name = f"part-{number:05d}-{self.run.shard}-of-{self.run.shards}.{self.kind}"
        return self.root / stream / partition / name

    def claim(self, overwrite: bool, streams: list[str]) -> None:
        """Make the folder ready for this shard. Raises SinkError where it holds what must not be touched.

        A folder may be absent, empty, or hold other shards of the same run. With `overwrite`, datagen's own earlier
        output is deleted first: the files which a manifest there accounts for, by their names.
        """
        for name in streams:
            if not _NAME.match(name):
                raise self._refuse(f"the stream {name!r} cannot be the name of a folder")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._inspect(overwrite)
            self._refuse_leftovers(streams)
        except OSError as error:
            raise self._refuse(error.strerror or str(error)) from error

    def resume(self, mine: Manifest) -> bool:
        """Enter into `mine` what this shard has left behind of the same run, and delete what that does not list.

        False where there is nothing; raises SinkError where it is of another run.
        """
        document = manifest.read(self.manifest)
        if document is None:
            return False
        if reason := manifest.difference(document, self.kind, self.run):
            raise self._refuse(f"holds the output of another run, which cannot be gone on with: {reason}")
        mine.take_up(document)
        listed = {file.path for files in mine.files.values() for file in files}
        name = re.compile(rf"^\.?part-\d{{5,}}-{self.run.shard}-of-{self.run.shards}\.{self.kind}(\.tmp)?$")
        for stream in mine.files:
            for path in list((self.root / stream).rglob("*")):
                if name.match(path.name) and path.relative_to(self.root).as_posix() not in listed:
                    path.unlink()
        return True

    def tell(self) -> None:
        """Put the truth beside the facts, in one step, or take away that of an earlier run: the first shard does it."""
        if self.run.shard != 1:
            return
        path = self.root / _TRUTH
        if self.run.truth is None:
            path.unlink(missing_ok=True)
        else:
            manifest.put(path, self.run.truth)

    def _inspect(self, overwrite: bool) -> None:
        owned = self._owned()
        for path, document in owned.items():
            if self._is_sibling(document):
                continue
            if not overwrite:
                text = f"holds the output of {document.get('scenario')!r}, seed {document.get('seed')}"
                raise self._refuse(f"{text}; add mode=overwrite to replace it")
            if self._is_mine_to_delete(document):
                _delete(self.root, path, document, sweep=self.run.shards == 1)

    def _owned(self) -> dict[Path, dict[str, Any]]:
        """The manifests in the folder; refuses what none of them accounts for.

        Other shards may be at work here: each saves its manifest before anything else appears, so names are listed
        before manifests are read; and what looks strange while an earlier run is replaced is looked at again.
        """
        for patience in (True, True, False):
            names = {path.name for path in self.root.iterdir() if not _HIDDEN.match(path.name)}
            found = {path: manifest.read(path) for path in self.root.iterdir() if _MANIFEST.match(path.name)}
            owned = {path: document for path, document in found.items() if document}
            strange = self._strange(names, owned)
            if strange and not patience:
                raise self._refuse(f"is not empty, and {strange[0]!r} is not datagen's; choose another folder")
            if not strange:
                break
            time.sleep(_REPLACING)
        return owned

    def _strange(self, names: set[str], owned: dict[Path, dict[str, Any]]) -> list[str]:
        known = {path.name for path in owned} | {name for document in owned.values() for name in document["streams"]}
        return sorted(names - known - ({_TRUTH} if owned else set()))

    def _refuse_leftovers(self, streams: list[str]) -> None:
        name = re.compile(rf"^\.?part-\d{{5,}}-\d+-of-{self.run.shards}\.{self.kind}(\.tmp)?$")
        for stream in streams:
            for path in sorted((self.root / stream).rglob("*")):
                if not path.is_dir() and not name.match(path.name):
                    raise self._refuse(f"{path.relative_to(self.root)} is not datagen's; choose another folder")

    def _is_sibling(self, document: dict[str, Any]) -> bool:
        """Whether it is another shard of this very run."""
        mine = manifest.identity(self.kind, self.run)
        return document["shard"] != self.run.shard and all(document.get(name) == mine[name] for name in mine)

    def _is_mine_to_delete(self, document: dict[str, Any]) -> bool:
        # With as many shards as now, each shard deletes its own predecessor: its names are the same, and another
        # shard could delete what has just been written anew.
        return bool(document["shards"] != self.run.shards or document["shard"] == self.run.shard)

    def _refuse(self, text: str) -> SinkError:
        return SinkError(f"{self.kind}:{self.root}: {text}")


def manifests(root: Path) -> Iterator[dict[str, Any]]:
    """The manifests in a folder, which need not exist."""
    paths = sorted(root.iterdir()) if root.is_dir() else []
    for path in paths:
        if _MANIFEST.match(path.name) and (document := manifest.read(path)) is not None:
            yield document


def _delete(root: Path, path: Path, document: dict[str, Any], sweep: bool) -> None:
    """Delete what a manifest accounts for, and with `sweep` the folders that this leaves empty.

    Where other shards are at work in the same folders, an empty one may be about to be filled, and stays.
    """
    shard, shards, kind = document["shard"], document["shards"], re.escape(document["kind"])
    name = re.compile(rf"^\.?part-\d{{5,}}-{shard}-of-{shards}\.{kind}(\.tmp)?$")
    for stream in filter(_NAME.match, document["streams"]):
        folder = root / stream
        with suppress(FileNotFoundError):
            for file in list(folder.rglob("*")):
                if name.match(file.name) and not file.is_dir():
                    file.unlink(missing_ok=True)
        for empty in [*folder.glob("*=*"), folder] if sweep else []:
            with suppress(OSError):
                empty.rmdir()
    # Last, so that a deletion that is interrupted can be taken up again.
    path.unlink(missing_ok=True)
