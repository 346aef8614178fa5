"""CSV files as recordings: turned into Parquet files of the same names in a temporary folder, block by block.

In the folder of a run of datagen the manifest says of what type each column is. For anybody's files the first block of
each tells: numbers, true and false, dates, instants, or else text. An empty cell is null, an empty text is `""`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from sim.delivery.replay.folder import open_folder
from sim.delivery.replay.manifests import manifests
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.recording import Recording
from sim.errors import ParameterError

BLOCK = 2**24
"""Bytes of text that are converted at once, and from which types are inferred."""

_SUFFIX = re.compile(r"\.csv(\.gz|\.bz2)?$")
_TIMESTAMP = re.compile(r"^timestamp\[(s|ms|us|ns)(, tz=(.+))?\]$")


@contextmanager
def open_tables(location: str, naming: Naming) -> Iterator[Recording]:
    """The recording in a CSV file, or in a folder, for as long as the context. Raises ParameterError where there is
    none, with the reason.
    """
    root = Path(location)
    if not root.exists():
        raise ParameterError(f"{location}: there is no such file or folder")
    with tempfile.TemporaryDirectory(prefix="datagen-replay-") as folder:
        converted = Path(folder) / _SUFFIX.sub(".parquet", root.resolve().name)
        try:
            _convert(root, converted)
            recording = open_folder(str(converted), naming)
        except ParameterError as error:
            raise ParameterError(str(error).replace(str(converted), location)) from None
        yield recording


def _convert(root: Path, target: Path) -> None:
    documents = manifests(root, "csv") if root.is_dir() else []
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if _SUFFIX.search(path.name))
    if not files:
        raise ParameterError(f"{root}: there are no CSV files in this folder")
    for path in files:
        inside = path.relative_to(root).as_posix() if path != root else ""
        told = documents[0]["streams"].get(inside.split("/")[0], {}) if documents else {}
        if not any(part.startswith(".") for part in inside.split("/")):
            _file(path, target / _SUFFIX.sub(".parquet", inside), told.get("schema", {}))
    for number, document in enumerate(documents, 1):
        several = f"-{number}-of-{len(documents)}" if len(documents) > 1 else ""
        (target / f"manifest{several}.json").write_text(json.dumps(_renamed(document)), encoding="utf-8")


def _renamed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest that speaks of Parquet files."""

    def stream(told: Mapping[str, Any]) -> dict[str, Any]:
        files = [dict(file) | {"path": _SUFFIX.sub(".parquet", file["path"])} for file in told["files"]]
        return dict(told) | {"files": files}

    streams = {name: stream(told) for name, told in document["streams"].items()}
    return dict(document) | {"kind": "parquet", "streams": streams}


def _file(path: Path, target: Path, schema: Mapping[str, str]) -> None:
    """Convert one file, whose columns have the types that `schema` names, or those that they look like."""
    types = {name: _type(text) for name, text in schema.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _blocks(path, types) as blocks:
            # What is empty throughout the first block could become anything.
            unknown = {column.name: pa.string() for column in blocks.schema if column.type == pa.null()}
        with _blocks(path, types | unknown) as blocks, parquet.ParquetWriter(target, blocks.schema) as output:
            for block in blocks:
                output.write_batch(block)
    except (OSError, pa.ArrowException) as error:
        raise ParameterError(f"{path}: {str(error).splitlines()[0]}") from None


def _blocks(path: Path, types: Mapping[str, pa.DataType]) -> csv.CSVStreamingReader:
    convert = csv.ConvertOptions(
        column_types=dict(types), null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parse = csv.ParseOptions(newlines_in_values=True)
    return csv.open_csv(path, csv.ReadOptions(block_size=BLOCK), parse, convert)


def _type(text: str) -> pa.DataType:
    """The type that a manifest names; lists, structs and bytes stay the text that they are in CSV."""
    if found := _TIMESTAMP.match(text):
        return pa.timestamp(found[1], found[3])
    plain = {"bool": pa.bool_(), "double": pa.float64(), "float": pa.float32(), "date32[day]": pa.date32()}
    whole = {str(kind): kind for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint32(), pa.uint64())}
    return (plain | whole).get(text, pa.string())
