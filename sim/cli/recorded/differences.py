"""The aggregates of windows that are not the true ones, as a table for whoever wants to know by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from sim.delivery.audit import Audit
from sim.errors import ParameterError

_INSTANT = pl.Datetime("us", "UTC")
_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ"),
    ".parquet": lambda table, path: table.write_parquet(path),
}


def check(path: Path) -> None:
    """Raise ParameterError where the table cannot be written there."""
    if path.suffix not in _WRITERS:
        raise ParameterError(f"--windows {str(path)!r}: the name must end with {' or '.join(_WRITERS)}")
    if not path.parent.is_dir():
        raise ParameterError(f"--windows {str(path)!r}: there is no folder {str(path.parent)!r}")


def write(audits: Sequence[Audit], path: Path) -> None:
    """Write one row for each aggregate that differs: `stream`, `window_start`, `window_end`, `aggregate` (`facts`,
    `keys` or a column, which is added up), what is `true`, what was `seen`, and whether the ledger has it `explained`.
    """
    _WRITERS[path.suffix](pl.concat([_table(audit) for audit in audits]), path)


def _table(audit: Audit) -> pl.DataFrame:
    first = pl.col("first")
    return audit.windows.select(
        pl.lit(audit.stream).alias("stream"),
        first.cast(_INSTANT).alias("window_start"),
        (first + audit.span).cast(_INSTANT).alias("window_end"),
        "aggregate",
        "true",
        "seen",
        "explained",
    )
