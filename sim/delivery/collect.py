"""A whole run in memory, for notebooks and tests: one table a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from sim.batch import Batch, Stream

if TYPE_CHECKING:
    import polars as pl

    from sim.model.model import Model


def to_arrow(
    source: Model | Iterable[Batch], seed: int | None = None, shard: tuple[int, int] | str | None = None
) -> dict[str, pa.Table]:
    """All facts of a run as one table per stream name, each sorted by (event_time, id).

    `source` is a compiled model, which is then simulated with `seed` and `shard`, or batches as `simulate` yields them.
    Everything is held in memory at once: for small runs. Streams of a model without facts give empty tables.
    """
    batches = source if isinstance(source, Iterable) else _simulate(source, seed, shard)
    streams: dict[str, Stream] = {}
    rows: dict[str, list[pa.RecordBatch]] = {}
    for batch in batches:
        streams[batch.stream.name] = batch.stream
        rows.setdefault(batch.stream.name, []).append(batch.data)
    return {name: pa.Table.from_batches(rows[name], stream.schema) for name, stream in streams.items()}


def to_polars(
    source: Model | Iterable[Batch], seed: int | None = None, shard: tuple[int, int] | str | None = None
) -> dict[str, pl.DataFrame]:
    """The same as `to_arrow`, as polars frames; dictionary columns become categoricals."""
    import polars as pl

    tables = to_arrow(source, seed, shard)
    return {name: pl.DataFrame(pl.from_arrow(table)) for name, table in tables.items()}


def _simulate(model: Model, seed: int | None, shard: tuple[int, int] | str | None) -> Iterable[Batch]:
    from sim.engine.simulate import simulate

    return simulate(model, seed=seed, shard=shard)
