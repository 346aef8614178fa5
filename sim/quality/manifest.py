"""What the manifests of all shards together say of a folder: which run, which streams, which files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import ParameterError
from sim.maths.instants import parse_instant

_NAME = re.compile(r"^manifest(-\d+-of-\d+)?\.json$")


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file as its manifest describes it; `path` is relative to the folder."""

    path: str
    facts: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StreamNote:
    """A stream as the manifests describe it: `schema` has the Arrow type of each column, as text."""

    id: str
    key: str
    rank: int
    schema: Mapping[str, str]
    files: tuple[FileNote, ...]

    @property
    def facts(self) -> int:
        """The facts of all its files."""
        return sum(file.facts for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What all shards of one run say. Times are microseconds since the epoch.

    `until` is how far the facts reach: the end of the run, or the last watermark of the shard that came least far.
    `present` are the numbers of the shards that have a manifest, `complete` those among them that came to their end.
    """

    kind: str
    scenario: str
    digest: str
    seed: int
    start: int
    end: int
    until: int
    shards: int
    present: tuple[int, ...]
    complete: tuple[int, ...]
    streams: Mapping[str, StreamNote]

    @property
    def missing(self) -> tuple[int, ...]:
        """The shards that have no manifest."""
        return tuple(sorted({*range(1, self.shards + 1)} - {*self.present}))

    @property
    def whole(self) -> bool:
        """Whether all shards are there and came to their end."""
        return len(self.complete) == self.shards


def read_manifest(root: Path) -> Manifest | None:
    """What the manifests in a folder say; None where datagen has not written it. ParameterError where one is broken."""
    paths = sorted(path for path in root.iterdir() if _NAME.match(path.name))
    found = [document for path in paths if (document := _document(path)) is not None]
    if not found:
        return None
    try:
        return _together(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ParameterError(f"{root}: the manifest is damaged: {error}") from None


def _document(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path}: not a manifest that can be read: {error}") from None
    return document if isinstance(document, dict) and document.get("writer") == "datagen" else None


def _together(documents: Sequence[dict[str, Any]]) -> Manifest:
    first = documents[0]
    start, end = parse_instant(first["start"]), parse_instant(first["end"])
    untils = [parse_instant(document["until"]) if document["until"] else start for document in documents]
    complete = tuple(document["shard"] for document in documents if document["complete"])
    return Manifest(
        kind=first["kind"],
        scenario=first["scenario"],
        digest=first["digest"],
        seed=first["seed"],
        start=start,
        end=end,
        until=min([end, *untils]),
        shards=first["shards"],
        present=tuple(document["shard"] for document in documents),
        complete=complete,
        streams={name: _stream(name, documents) for name in _by_rank(first["streams"])},
    )


def _by_rank(streams: Mapping[str, Any]) -> Iterable[str]:
    return sorted(streams, key=lambda name: int(streams[name]["rank"]))


def _stream(name: str, documents: Sequence[dict[str, Any]]) -> StreamNote:
    told = documents[0]["streams"][name]
    files = [file for document in documents for file in document["streams"].get(name, {"files": []})["files"]]
    notes = tuple(FileNote(file["path"], file["facts"], file["bytes"], file["sha256"]) for file in files)
    return StreamNote(told["id"], told["key"], told["rank"], told["schema"], notes)
