"""The manifest of a folder that datagen has written: which run, and which files with which contents.

One manifest a shard: `manifest.json`, or `manifest-1-of-2.json` where there are several. It appears when the shard
starts and is replaced as files are added, always as a whole. A reader knows that nothing is missing when the
manifests of all shards are there and each says `"complete": true`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinks.run import Past, Run

if TYPE_CHECKING:
    from sim.batch import Stream

WRITER = "datagen"
VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(time: int) -> str:
    """Microseconds since the epoch as ISO-8601, UTC, with six decimals."""
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> int:
    """Microseconds since the epoch of what `instant` has written."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def put(path: Path, text: str) -> None:
    """Put a text at `path`, in one step; where that fails, what stood there before stays and nothing is left over."""
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        with hidden.open("w", encoding="utf-8") as output:
            output.write(text)
            output.flush()
            os.fsync(output.fileno())
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class File:
    """A finished file: its path relative to the manifest, its size, digest, and first and last event time."""

    path: str
    facts: int
    bytes: int
    sha256: str
    first: str | None
    last: str | None


@dataclass(slots=True)
class Manifest:
    """What one shard of a run has written so far; `until` is the last watermark, as ISO-8601."""

    kind: str
    run: Run
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, list[File]] = field(default_factory=dict)
    until: str | None = None
    complete: bool = False

    @classmethod
    def of(cls, kind: str, run: Run, streams: Iterable[Stream]) -> Manifest:
        """The manifest of a run that has not written anything yet."""
        described = {stream.name: _describe(stream) for stream in streams}
        return cls(kind, run, described, {name: [] for name in described})

    def take_up(self, document: dict[str, Any]) -> None:
        """Enter the files of an earlier manifest of the same run."""
        for name, stream in document["streams"].items():
            self.files[name] = [File(**file) for file in stream["files"]]

    def add(self, stream: str, files: Iterable[File]) -> None:
        """Enter finished files of a stream."""
        self.files[stream].extend(files)

    def save(self, path: Path) -> None:
        """Put the manifest at `path`, in one step."""
        put(path, json.dumps(self._document(), indent=1))

    def _document(self) -> dict[str, Any]:
        return {
            "writer": WRITER,
            "version": VERSION,
            **identity(self.kind, self.run),
            **remembered(self.run),
            "shard": self.run.shard,
            "until": self.until,
            "complete": self.complete,
            "streams": {name: self._stream(name) for name in self.streams},
        }

    def _stream(self, name: str) -> dict[str, Any]:
        files = self.files[name]
        counts = {"facts": sum(file.facts for file in files), "bytes": sum(file.bytes for file in files)}
        return self.streams[name] | counts | {"files": [asdict(file) for file in files]}


def identity(kind: str, run: Run) -> dict[str, Any]:
    """What the manifests of all shards of one run have in common."""
    times = {"start": instant(run.start), "end": instant(run.end)}
    return {
        "kind": kind,
        "scenario": run.scenario,
        "digest": run.digest,
        "seed": run.seed,
        "shards": run.shards,
    } | times


def remembered(run: Run) -> dict[str, Any]:
    """What a document says of the run that this is a part of, and of what it was read from; nothing for most."""
    origin = {} if run.origin is None else {"origin": run.origin}
    whole = run.whole
    if whole is None or whole.until is None:
        return origin
    return origin | {"whole": {"start": instant(whole.start), "until": instant(whole.until), "end": instant(whole.end)}}


def past(document: Mapping[str, Any]) -> Past:
    """The run that an earlier document is about."""
    whole = document.get("whole") or document
    until = whole.get("until") if whole is not document else None
    times = (moment(whole["start"]), moment(whole["end"]), None if until is None else moment(until))
    return Past(*times, document.get("origin"))


def difference(document: dict[str, Any], kind: str, run: Run) -> str:
    """In words, what makes an earlier manifest one of another run; empty where nothing does."""
    mine = identity(kind, run)
    other = [name for name in mine if document.get(name) != mine[name]]
    if other == ["digest"]:
        what = "the scenario, a value replaced by --set, or the version of datagen"
        return f"{what} is another (of a replay: what and how)"
    return "; ".join(
        f"{name} is {document.get(name)!r} there, {mine[name]!r} here" for name in other if name != "digest"
    )


def read(path: Path) -> dict[str, Any] | None:
    """The manifest at `path` as plain data; None where it is not one of datagen's."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("writer") != WRITER:
        return None
    sound = isinstance(document.get("streams"), dict) and isinstance(document.get("kind"), str)
    return document if sound and all(isinstance(document.get(name), int) for name in ("shard", "shards")) else None


def _describe(stream: Stream) -> dict[str, Any]:
    columns = {column.name: str(column.type) for column in stream.schema}
    return {"id": stream.id, "key": stream.key, "rank": stream.rank, "schema": columns}
