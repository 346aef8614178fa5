"""Text files, CSV or a JSON object a line, put into Parquet files of a temporary folder, by DuckDB.

Columns become what they are declared to be, or what they look like where nobody says it. A value that does not fit its
column becomes null, and is counted; null is an empty cell, an empty text is `""`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from sim.quality.kinds import sql_of
from sim.quality.tables import Part, Table, Trouble, literal, quoted

if TYPE_CHECKING:
    import duckdb

    Db = duckdb.DuckDBPyConnection

CSV = (".csv", ".csv.gz")
LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
SUFFIXES = (*CSV, *LINES)


def spilled(
    db: Db, name: str, root: Path, paths: Sequence[Path], types: Mapping[str, pa.DataType], folder: Path
) -> Table:
    """The stream in text files, as Parquet files below `folder`; `types` are the columns that are declared, if any."""
    import duckdb

    parts: list[Part] = []
    troubles: list[Trouble] = []
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        shown = path.name if path == root else path.relative_to(root).as_posix()
        target = folder / name / f"{number:06d}.parquet"
        try:
            troubles += _convert(db, path, target, types, shown)
            with parquet.ParquetFile(target) as opened:
                parts.append(Part(target, shown, opened.metadata.num_rows, opened.schema_arrow))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            target.unlink(missing_ok=True)
            troubles.append(Trouble(shown, None, 1, str(error).splitlines()[0]))
    fields = {column.name: column for part in parts for column in part.schema}
    known = [pa.field(column, kind) for column, kind in types.items()]
    schema = pa.schema(list(fields.values()) if parts else known)
    return Table(name, tuple(parts), schema, tuple(troubles))


def _convert(db: Db, path: Path, target: Path, types: Mapping[str, pa.DataType], shown: str) -> list[Trouble]:
    """Write the Parquet file; the values that did not fit."""
    source = _lines(db, path, types) if path.name.endswith(LINES) else _cells(path, bool(types))
    wanted = {name: sql_of(types[name]) for name, _ in _described(db, source) if name in types}
    cast = {name: kind for name, kind in wanted.items() if kind != "VARCHAR"}
    shaped = [f"{_cast(name, kind)} AS {quoted(name)}" for name, kind in cast.items()]
    db.execute(f"COPY ({_replaced(shaped, source)}) TO {literal(str(target))} (FORMAT parquet)")
    return [
        Trouble(shown, name, count, f"{str(value)[:60]!r} is not {kind.lower()}")
        for (name, kind), (count, value) in zip(cast.items(), _misfits(db, source, cast), strict=True)
        if count
    ]


def _misfits(db: Db, source: str, cast: Mapping[str, str]) -> list[tuple[int, str]]:
    """For each column, how many values do not fit, and one of them."""
    counts = [
        f"count(*) FILTER ({wrong}), any_value({quoted(name)}) FILTER ({wrong})"
        for name, kind in cast.items()
        for wrong in [f"{quoted(name)} IS NOT NULL AND {_cast(name, kind)} IS NULL"]
    ]
    row = db.execute(f"SELECT {', '.join(counts)} FROM {source}").fetchone() if counts else None
    told = list(row or ())
    return list(zip(told[::2], told[1::2], strict=True))


def _cast(name: str, kind: str) -> str:
    # A cast of the bare column would be left to the reader of CSV, which gives up at the first value that does not fit.
    return f"TRY_CAST(concat({quoted(name)}) AS {kind})"


def _replaced(shaped: Sequence[str], source: str) -> str:
    return f"SELECT * REPLACE ({', '.join(shaped)}) FROM {source}" if shaped else f"SELECT * FROM {source}"


def _described(db: Db, source: str) -> list[tuple[str, str]]:
    """Names and types of the columns."""
    return [(name, kind) for name, kind, *_ in db.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]


def _cells(path: Path, declared: bool) -> str:
    """SQL that reads a CSV file, as text where types are declared."""
    return (
        f"read_csv({literal(str(path))}, header=true, delim=',', quote='\"', escape='\"', nullstr='', "
        f"allow_quoted_nulls=false, all_varchar={str(declared).lower()}, sample_size=-1)"
    )


def _lines(db: Db, path: Path, types: Mapping[str, pa.DataType]) -> str:
    """SQL that reads a file of JSON objects; what is declared and not nested as text."""
    place = f"{literal(str(path))}, maximum_object_size=67108864, ignore_errors=true"
    found = _described(db, f"read_ndjson({place}, sample_size=-1)")
    flat = {name for name, kind in types.items() if not pa.types.is_nested(kind)}
    columns = [f"{quoted(name)}: {literal('VARCHAR' if name in flat else kind)}" for name, kind in found]
    return f"read_ndjson({place}, columns={{{', '.join(columns)}}})"
