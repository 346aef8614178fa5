"""A data set: what was written, open to SQL, wherever it lies and however large it is.

DuckDB (M. Raasveldt and H. Mühleisen 2019, "DuckDB: an embeddable analytical database") scans the files in place, with
bounded memory, and spills to a temporary folder; text and topics are put into Parquet files there first. Once open, the
connection reaches no other file, so that the SQL of a scenario can be run on it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sim.errors import MissingExtra, ParameterError
from sim.quality.kinds import arrow_of, plain
from sim.quality.manifest import Manifest, read_manifest
from sim.quality.spill import SUFFIXES, spilled
from sim.quality.tables import Table, check_not_empty, files_of, parquet_table, quoted

if TYPE_CHECKING:
    import duckdb

    from sim.batch import Stream

MEMORY = "2GB"
"""What DuckDB keeps in memory before it spills."""

Topics = Callable[[str, Path], Mapping[str, Sequence[Path]]]
"""Reads the topics that a URL names into files below a folder, Parquet or JSON lines: one for each partition."""

_SCHEMES = ("parquet", "csv", "json", "kafka")


@dataclass(frozen=True)
class Dataset:
    """An open data set: a view for each stream in `db`, called like the stream, and what is known of its files.

    `db` has the time zone UTC; `event_time AT TIME ZONE 'Europe/Paris'` is civil time. Facts of the run that the
    manifest speaks of are complete before `manifest.until`; there is no manifest where datagen did not write the files.
    """

    url: str
    root: Path | None
    db: duckdb.DuckDBPyConnection
    tables: Mapping[str, Table]
    manifest: Manifest | None

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of all streams, those without facts included."""
        return tuple(self.tables)

    def schema(self, stream: str) -> pa.Schema:
        """The columns of a stream: Arrow types without dictionaries, and the descriptions that Parquet files carry."""
        return self.tables[stream].schema

    def rows(self, stream: str) -> int:
        """The facts of a stream."""
        return self.tables[stream].rows

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query's result."""
        return self.db.execute(sql, parameters).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """A query's result as an Arrow table: for results that fit into memory."""
        return self.db.sql(sql, params=list(parameters) or None).to_arrow_table()


@contextmanager
def open_dataset(
    url: str,
    settings: Mapping[str, str] | None = None,
    *,
    streams: Sequence[Stream] = (),
    topics: Topics | None = None,
    threads: int | None = None,
    memory: str = MEMORY,
) -> Iterator[Dataset]:
    """The data set at `url`: DIR or FILE, `parquet:DIR`, `csv:DIR`, `json:DIR`, or `kafka://…` if `topics` reads those.

    `settings` are DuckDB's own, by name. `streams` are the declared ones, where they are known: they say of what types
    the columns of text are. Raises ParameterError where there is nothing to look at, MissingExtra without DuckDB.
    """
    with tempfile.TemporaryDirectory(prefix="datagen-quality-") as temporary:
        folder = Path(temporary)
        db = _connected(folder, threads, memory, settings or {})
        try:
            scheme, location = _place(url)
            if scheme == "kafka":
                if topics is None:
                    raise ParameterError(f"{url}: topics cannot be read here")
                root, manifest, tables = None, None, _topics(db, url, topics, streams, folder)
            else:
                root = Path(location)
                manifest, tables = _folder(db, scheme, root, streams, folder)
            _view(db, tables)
            yield Dataset(url, root, db, tables, manifest)
        finally:
            db.close()


def _place(url: str) -> tuple[str, str]:
    """Scheme and location; the scheme is empty where only a folder or file is named."""
    scheme, colon, rest = url.partition(":")
    if not colon or len(scheme) == 1 or Path(url).exists():
        return "", url
    if scheme not in _SCHEMES:
        raise ParameterError(f"{url}: {scheme!r} is not a kind of data set; allowed: DIR, {', '.join(_SCHEMES)}")
    if "?" in rest and scheme != "kafka":
        raise ParameterError(f"{url}: folders that are read have no options")
    return scheme, rest.removeprefix("//")


def _topics(
    db: duckdb.DuckDBPyConnection, url: str, topics: Topics, streams: Sequence[Stream], folder: Path
) -> dict[str, Table]:
    place = folder / "topics"
    place.mkdir()
    tables = {
        name: _table(db, name, place, list(paths), None, streams, folder) for name, paths in topics(url, place).items()
    }
    check_not_empty(url, tables)
    return tables


def _folder(
    db: duckdb.DuckDBPyConnection, scheme: str, root: Path, streams: Sequence[Stream], folder: Path
) -> tuple[Manifest | None, dict[str, Table]]:
    if not root.exists():
        raise ParameterError(f"{root}: there is no such file or folder")
    manifest = read_manifest(root) if root.is_dir() else None
    known = manifest.streams if manifest else ()
    suffixes = {"": (".parquet", *SUFFIXES), "parquet": (".parquet",), "csv": SUFFIXES[:2], "json": SUFFIXES[2:]}
    tables = {
        name: _table(db, name, root, paths, manifest, streams, folder)
        for name, paths in files_of(root, suffixes[scheme], known).items()
    }
    check_not_empty(str(root), tables)
    return manifest, tables


def _table(
    db: duckdb.DuckDBPyConnection,
    name: str,
    root: Path,
    paths: Sequence[Path],
    manifest: Manifest | None,
    streams: Sequence[Stream],
    folder: Path,
) -> Table:
    types = {c.name: plain(c.type) for stream in streams if stream.name == name for c in stream.schema}
    texts = [path for path in paths if path.name.endswith(SUFFIXES)]
    if not paths and manifest is None:
        return Table(name, (), pa.schema([pa.field(column, kind) for column, kind in types.items()]))
    if not texts:
        return parquet_table(name, root, paths, manifest)
    if len(texts) < len(paths):
        raise ParameterError(f"{root}: {name} has files in Parquet and in text; say which: parquet:{root}")
    if manifest and name in manifest.streams:
        types = {column: arrow_of(text) for column, text in manifest.streams[name].schema.items()}
    return spilled(db, name, root, texts, types, folder)


def _connected(
    folder: Path, threads: int | None, memory: str, settings: Mapping[str, str]
) -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("quality", "looking at data sets") from None
    ours = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",
        **({} if threads is None else {"threads": str(threads)}),
    }
    try:
        db = duckdb.connect(config={**ours, **settings})
        return db.execute("SET TimeZone = 'UTC'")
    except duckdb.Error as error:
        raise ParameterError(f"DuckDB: {str(error).splitlines()[0]}") from None


def _view(db: duckdb.DuckDBPyConnection, tables: Mapping[str, Table]) -> None:
    """Make the views, and shut the door: from here on no file can be reached but those of the data set."""
    for table in tables.values():
        db.execute(f"CREATE VIEW {quoted(table.name)} AS SELECT * FROM {table.source()}")
    files = [str(part.path) for table in tables.values() for part in table.parts]
    db.execute("SET allowed_paths = ?", [files])
    db.execute("SET enable_external_access = false")
