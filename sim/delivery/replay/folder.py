"""Parquet files and folders as recordings: what datagen has written, by its manifests, and anybody's files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from sim.batch import TIME, Stream
from sim.delivery.replay.clock import Clock
from sim.delivery.replay.footers import File, open_file, recorded_in
from sim.delivery.replay.manifests import manifests
from sim.delivery.replay.naming import Naming, described, unified
from sim.delivery.replay.reading import Columns
from sim.delivery.replay.recording import Recorded, Recording, bounds
from sim.errors import ParameterError
from sim.maths.instants import parse_instant


def open_folder(location: str, naming: Naming) -> Recording:
    """The recording in a Parquet file, or in a folder. Raises ParameterError where there is none, with the reason."""
    root = Path(location)
    if not root.exists():
        raise ParameterError(f"{location}: there is no such file or folder")
    documents = manifests(root, "parquet") if root.is_dir() else []
    found = _own(root, documents, naming) if documents else _foreign(root, naming)
    if not found.facts:
        raise ParameterError(f"{location}: the recording is empty: it holds no facts")
    found.check()
    return found


def _own(root: Path, documents: Sequence[dict[str, Any]], naming: Naming) -> Recording:
    given = [name for name in ("time", "key", "id") if getattr(naming, name)]
    if given:
        raise ParameterError(f"{root}: --{given[0]} is for files that are not datagen's: here the manifest says it")
    first = documents[0]
    chosen = _chosen(str(root), sorted(first["streams"], key=lambda name: int(first["streams"][name]["rank"])), naming)
    recorded = [_own_stream(root, documents, name, rank, naming) for rank, name in enumerate(chosen)]
    start, end = (parse_instant(first[name]) for name in ("start", "end"))
    untils = [parse_instant(document["until"]) for document in documents if document["until"]]
    kept = tuple(each for each in recorded if each is not None)
    notes = _incompleteness(root, documents)
    if notes:
        end = max(start, min(untils, default=start))
    # Clocks that go wrong may show other times than those of the run.
    groups = () if notes else tuple(group for each in kept for group in each.groups)
    start, end = min([start, *(group.first for group in groups)]), max([end, *(group.last + 1 for group in groups)])
    return Recording(first["scenario"], kept, start, end, own=True, notes=notes)


def _incompleteness(root: Path, documents: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    shards, whole = documents[0]["shards"], all(document["complete"] for document in documents)
    if len(documents) < shards:
        return (f"{root}: {len(documents)} of {shards} shards are here: the others are not replayed",)
    return () if whole else (f"{root}: the run that wrote it ended early: replayed as far as it is complete",)


def _own_stream(
    root: Path, documents: Sequence[dict[str, Any]], name: str, rank: int, naming: Naming
) -> Recorded | None:
    told = documents[0]["streams"][name]
    paths = [root / file["path"] for document in documents for file in document["streams"][name]["files"]]
    if not paths:  # a stream without facts, in folders by date
        return None
    files = [open_file(path) for path in paths]
    schema = files[0].schema
    stream = Stream(name, schema, told["id"], told["key"], rank)
    shape = Columns(stream, Clock(TIME))
    own = tuple(name for name in schema.names if name.endswith("_id"))
    return recorded_in(shape, files, {stream.id, stream.key, *own, *naming.rekeyed})


def _foreign(root: Path, naming: Naming) -> Recording:
    tables = _tables(root)
    if len(tables) > 1 or not naming.streams:
        chosen = _chosen(str(root), list(tables), naming)
        tables = {name: tables[name] for name in chosen}
    elif len(naming.streams) == 1:
        tables = {naming.streams[0]: next(iter(tables.values()))}
    else:
        raise ParameterError(f"{root}: it is one stream, and --stream names {len(naming.streams)}")
    files = {
        name: [replace(open_file(path), constants=_constants(root, path)) for path in tables[name]] for name in tables
    }
    full = {name: own for name, own in files.items() if any(file.metadata.num_rows for file in own)}
    recorded = [_foreign_stream(name, root, own, rank, naming) for rank, (name, own) in enumerate(full.items())]
    if not recorded:
        raise ParameterError(f"{root}: the recording is empty: it holds no facts")
    return Recording(stem(root), tuple(recorded), *bounds(recorded))


def stem(path: Path) -> str:
    """A name for what is recorded there, fit for a folder or a topic."""
    text = path.resolve().name.split(".")[0] or "recording"
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _tables(root: Path) -> dict[str, list[Path]]:
    """The files of each stream: a folder's own are one stream, and so are those of each folder in it."""
    if root.is_file():
        return {stem(root): [root]}
    tables: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*.parquet")):
        inside = path.relative_to(root).parts
        if any(part.startswith((".", "_")) for part in inside):
            continue
        name = stem(root) if len(inside) == 1 or "=" in inside[0] else stem(root / inside[0])
        tables.setdefault(name, []).append(path)
    if not tables:
        raise ParameterError(f"{root}: there are no Parquet files in this folder")
    return tables


def _chosen(place: str, names: list[str], naming: Naming) -> list[str]:
    unknown = [name for name in naming.streams if name not in names]
    if unknown:
        raise ParameterError(
            f"{place}: {unknown[0]!r} is not a stream that was recorded (there are {', '.join(names)})"
        )
    return [name for name in names if not naming.streams or name in naming.streams]


def _foreign_stream(name: str, root: Path, files: Sequence[File], rank: int, naming: Naming) -> Recorded:
    schema = unified([(str(file.path), file.schema) for file in files])
    for constant in sorted({name for file in files for name in file.constants} - set(schema.names)):
        schema = schema.append(pa.field(constant, pa.dictionary(pa.int32(), pa.string())))
    stream, clock = described(name, schema, naming, str(root), rank)
    return recorded_in(Columns(stream, clock), files, {stream.id, stream.key, *naming.rekeyed})


def _constants(root: Path, path: Path) -> dict[str, str]:
    """Columns that stand in the path, as `country=FR`."""
    parts = path.relative_to(root).parts[:-1] if path != root else ()
    return {name: value for name, equals, value in (part.partition("=") for part in parts) if equals}
