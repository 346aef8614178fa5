"""Files against their manifests: all shards, all files, as many facts and the very bytes that were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding, exact
from sim.quality.manifest import FileNote, Manifest
from sim.quality.tables import Table

_CHUNK = 2**20


def measure(scope: Scope) -> Iterator[Finding]:
    """What can be read, what is missing, and what is other than it was written."""
    for name, table in scope.dataset.tables.items():
        yield _readable(name, table)
    manifest, root = scope.dataset.manifest, scope.dataset.root
    if manifest is not None and root is not None:
        yield _shards(manifest)
        states = _states(scope, manifest, root)
        for name, table in scope.dataset.tables.items():
            yield from _compared(name, table, manifest, states.get(name, {}))


@dataclass(frozen=True, slots=True)
class _State:
    note: FileNote
    bytes: int | None
    sha256: str | None


def _readable(name: str, table: Table) -> Finding:
    broken = [trouble for trouble in table.troubles if trouble.column is None]
    told = f"{broken[0].file}: {broken[0].reason}" if broken else ""
    return exact("structure", "readable_files", name, len(broken), told, weight=3)


def _shards(manifest: Manifest) -> Finding:
    missing = [str(shard) for shard in manifest.missing]
    ended = sorted({*manifest.present} - {*manifest.complete})
    parts = [f"there is no manifest of shard {', '.join(missing)} of {manifest.shards}"] if missing else []
    parts += [f"shard {', '.join(map(str, ended))} did not come to the end of the run"] if ended else []
    return exact("structure", "complete_shards", "run", len(missing) + len(ended), "; ".join(parts), weight=3)


def _states(scope: Scope, manifest: Manifest, root: Path) -> Mapping[str, Mapping[str, _State]]:
    notes = [(stream, note) for stream, own in manifest.streams.items() for note in own.files]
    scope.tell(f"{len(notes):,} files: digests")
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(lambda item: _state(root, item[1]), notes))
    found: dict[str, dict[str, _State]] = {}
    for (stream, note), state in zip(notes, states, strict=True):
        found.setdefault(stream, {})[note.path] = state
    return found


def _state(root: Path, note: FileNote) -> _State:
    path, digest = root / note.path, hashlib.sha256()
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
        return _State(note, path.stat().st_size, digest.hexdigest())
    except OSError:
        return _State(note, None, None)


def _compared(name: str, table: Table, manifest: Manifest, states: Mapping[str, _State]) -> Iterator[Finding]:
    gone = [path for path, state in states.items() if state.bytes is None]
    yield exact("structure", "files_there", name, len(gone), f"{gone[0]} is missing" if gone else "", weight=3)
    known = {path.removesuffix("/") for path in states}
    strange = [part.name for part in table.parts if part.name not in known]
    told = f"{strange[0]} is in no manifest" if strange else ""
    yield exact("structure", "no_other_files", name, len(strange), told)
    broken = {trouble.file for trouble in table.troubles if trouble.column is None}
    read = {path: state for path, state in states.items() if state.bytes is not None and path not in broken}
    other = [path for path, state in read.items() if state.sha256 != state.note.sha256]
    yield exact("structure", "digests", name, len(other), f"{other[0]} has changed" if other else "", weight=2)
    if name in manifest.streams:
        yield _counted(name, table, read)


def _counted(name: str, table: Table, read: Mapping[str, _State]) -> Finding:
    """Rows against the manifest, in files that are there and can be read: what others lack is told where they are."""
    known = {path.removesuffix("/"): state.note.facts for path, state in read.items()}
    rows = sum(part.rows for part in table.parts if part.name in known)
    said = sum(known.values())
    told = f"{rows:,} rows are there, the manifest says {said:,}"
    return exact("structure", "counts", name, abs(rows - said), told, weight=3)
