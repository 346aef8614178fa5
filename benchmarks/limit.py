"""The limit: pyarrow alone writes the same finished tables, already in memory, as fast as it can.

As many threads as there are workers, each with its own share of the rows and its own files, in the encodings and the
compression of the parquet sink. Nothing is simulated, merged, synchronised or hashed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from benchmarks.common import timed

ROWS_PER_GROUP = 1_048_576


def tables(path: Path) -> dict[str, pa.Table]:
    """All facts of the scenario at `path`, a table a stream, each column in one piece."""
    from sim.delivery.collect import to_arrow
    from sim.model.compile import compile_scenario
    from sim.scenario.loader import load

    collected = to_arrow(compile_scenario(load(path)))
    return {name: table.unify_dictionaries().combine_chunks() for name, table in collected.items()}


def rows_per_s(finished: Mapping[str, pa.Table], folder: Path, threads: int) -> float:
    """Rows a second that `threads` threads write into `folder`, which is emptied again."""
    folder.mkdir()
    jobs = [(folder, thread, list(_shares(finished, thread, threads))) for thread in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        seconds = timed(lambda: list(pool.map(lambda job: _write(*job), jobs)))
    shutil.rmtree(folder)
    return sum(map(len, finished.values())) / seconds


def _shares(finished: Mapping[str, pa.Table], thread: int, threads: int) -> Iterator[tuple[str, pa.Table]]:
    for name, table in finished.items():
        first, until = (len(table) * number // threads for number in (thread, thread + 1))
        yield name, table.slice(first, until - first)


def _write(folder: Path, thread: int, shares: list[tuple[str, pa.Table]]) -> None:
    from sinks.parquet import layout

    for name, table in shares:
        dictionary, encodings = layout(table.schema)
        path = folder / f"{name}-{thread}.parquet"
        with parquet.ParquetWriter(
            path, table.schema, compression="zstd", use_dictionary=dictionary, column_encoding=encodings
        ) as writer:
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
