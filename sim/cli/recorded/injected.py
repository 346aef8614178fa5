"""The injections of a ledger, as audits need them: stream by stream, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
from pyarrow import parquet

from sim.delivery.audit import BROKEN, FAINT, LARGE, injections
from sim.delivery.audit.findings import KINDS
from sim.delivery.audit.heaps import Heaps
from sim.delivery.faults import CORRUPT, MISSING
from sinks.damage import OVERSIZE

_COLUMNS = ("stream", "fact_id", "kind", "arrived_at", "detail")


def injected(ledger: Path | None, faint: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Heaps]:
    """What the ledger says was done to each of the streams that `faint` names; nothing where there is no ledger.

    `faint` are their columns in which null may be no other than what was there. `folder` takes what there is no room
    for in memory.
    """
    found = {name: injections(folder) for name in faint}
    for rows in _read(ledger):
        for (name,), own in rows.group_by("stream", maintain_order=True):
            if isinstance(name, str) and name in found:
                found[name].add(_numbered(own, faint[name]))
    return found


def _read(ledger: Path | None) -> Iterator[pl.DataFrame]:
    paths = [] if ledger is None else sorted((ledger / "injections").glob("*.parquet"))
    for path in paths:
        with parquet.ParquetFile(path) as opened:
            for batch in opened.iter_batches(columns=_COLUMNS):
                rows = pl.from_arrow(batch)
                assert isinstance(rows, pl.DataFrame)
                yield rows.with_columns(pl.col("stream", "kind", "detail").cast(pl.String))


def _numbered(rows: pl.DataFrame, faint: Sequence[str]) -> pl.DataFrame:
    """The fact, the number of the kind, and when it arrived (int64 microseconds; of what never did, 0)."""
    detail = pl.col("detail").fill_null("")
    column = detail.str.strip_prefix(f"{MISSING}:")
    missing = pl.when(column.is_in(list(faint))).then(pl.lit(FAINT)).otherwise(pl.lit(MISSING))
    corrupt = (
        pl.when(detail.str.starts_with(MISSING))
        .then(missing)
        .when(detail == OVERSIZE)
        .then(pl.lit(LARGE))
        .otherwise(pl.lit(BROKEN))
    )
    kind = pl.when(pl.col("kind") == CORRUPT).then(corrupt).otherwise(pl.col("kind"))
    return rows.select(
        pl.col("fact_id").alias("id"),
        kind.replace_strict(list(KINDS), list(range(len(KINDS))), return_dtype=pl.UInt8).alias("kind"),
        pl.col("arrived_at").dt.cast_time_unit("us").to_physical().fill_null(0).alias("at"),
    )
