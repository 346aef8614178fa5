"""The tables of a folder: which Parquet files each stream has, and which of its files cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from sim.errors import ParameterError
from sim.quality.kinds import arrow_of, plain, sql_of
from sim.quality.manifest import Manifest

_SHARD = re.compile(r"part-\d+-(\d+)-of-\d+\.")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was in the way of reading a stream: a file (`column` is None), or values that do not fit their column."""

    file: str
    column: str | None
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A readable Parquet file: where it is now, its name in the data set, its rows and its columns."""

    path: Path
    name: str
    rows: int
    schema: pa.Schema

    @property
    def sequence(self) -> str:
        """What its order goes on with: files of one shard are one sequence, any other file is one of its own."""
        found = _SHARD.search(self.name)
        return found[1] if found else self.name


@dataclass(frozen=True, slots=True)
class Table:
    """A stream's files, and the columns of its view: Arrow types without dictionaries."""

    name: str
    parts: tuple[Part, ...]
    schema: pa.Schema
    troubles: tuple[Trouble, ...] = ()
    folders: bool = False

    @property
    def rows(self) -> int:
        """Rows, as the footers of its files say."""
        return sum(part.rows for part in self.parts)

    def source(self, *options: str) -> str:
        """SQL that reads its rows: an expression for FROM. Without files it has the columns, and no rows."""
        if not self.parts:
            return f"(SELECT {', '.join(map(_nothing, self.schema))} WHERE false)"
        files = ", ".join(literal(str(part.path)) for part in self.parts)
        mixed = any(not part.schema.equals(self.parts[0].schema) for part in self.parts)
        told = [f"hive_partitioning={str(self.folders).lower()}", *(["union_by_name=true"] if mixed else []), *options]
        return f"read_parquet([{files}], {', '.join(told)})"


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def files_of(root: Path, suffixes: Sequence[str], known: Iterable[str]) -> dict[str, list[Path]]:
    """The files of each stream, in order of their names; `known` streams have an entry even without any.

    In a folder that is not datagen's, its own files are one stream, and so are those of each folder in it.
    """
    if root.is_file():
        return {stem(root): [root]}
    found: dict[str, list[Path]] = {name: [] for name in known}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).parts
        if any(part.startswith((".", "_")) for part in inside) or not path.name.endswith(tuple(suffixes)):
            continue
        loose = len(inside) == 1 or "=" in inside[0]
        found.setdefault(stem(root) if loose else inside[0], []).append(path)
    return found


def stem(path: Path) -> str:
    """The name of a file or folder without its suffixes."""
    return path.resolve().name.split(".")[0] or "data"


def parquet_table(name: str, root: Path, paths: Sequence[Path], manifest: Manifest | None) -> Table:
    """The stream in Parquet files; those that cannot be read are troubles."""
    parts: list[Part] = []
    troubles: list[Trouble] = []
    for path in paths:
        shown = path.name if path == root else path.relative_to(root).as_posix()
        try:
            with parquet.ParquetFile(path) as opened:
                parts.append(Part(path, shown, opened.metadata.num_rows, opened.schema_arrow))
        except (OSError, pa.ArrowException) as error:
            troubles.append(Trouble(shown, None, 1, str(error).splitlines()[0]))
    told = manifest.streams[name].schema if manifest and name in manifest.streams else {}
    folders = manifest is None and any("=" in part.name for part in parts)
    return Table(name, tuple(parts), _columns(parts, told), tuple(troubles), folders)


def check_not_empty(place: str, tables: Mapping[str, Table]) -> None:
    """Raise ParameterError where there is nothing that could be looked at."""
    if not tables:
        raise ParameterError(f"{place}: there is no data in this folder")
    for table in tables.values():
        if not len(table.schema) and table.troubles:
            raise ParameterError(f"{place}: {table.name}: {table.troubles[0].file}: {table.troubles[0].reason}")


def _columns(parts: Sequence[Part], told: Mapping[str, str]) -> pa.Schema:
    """The columns of all files; of the types of the first that has them."""
    fields: dict[str, pa.Field] = {}
    for part in parts:
        for column in part.schema:
            fields.setdefault(column.name, column.with_type(plain(column.type)))
    if not parts:
        fields = {name: pa.field(name, arrow_of(text)) for name, text in told.items()}
    return pa.schema(list(fields.values()))


def _nothing(column: pa.Field) -> str:
    return f"CAST(NULL AS {sql_of(column.type)}) AS {quoted(column.name)}"
