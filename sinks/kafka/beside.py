"""Columns that are no part of a fact but stand beside it in a message: headers that it has, and that it has no value.

Recordings of topics have them, so that what was read from Kafka can go there again as it was.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from sim.batch import BESIDE, DELETED, HEADERS, Stream


@dataclass(frozen=True, slots=True)
class Beside:
    """The names of these columns in a stream; None for those that it does not have."""

    headers: str | None = None
    deleted: str | None = None

    @classmethod
    def of(cls, stream: Stream) -> Beside:
        """What the fields' metadata say."""
        said = {(field.metadata or {}).get(BESIDE): field.name for field in stream.schema}
        return cls(said.get(HEADERS), said.get(DELETED))


def facts_of(stream: Stream) -> Stream:
    """The stream without such columns: what values of messages are made of."""
    own = [field for field in stream.schema if BESIDE not in (field.metadata or {})]
    return stream if len(own) == len(stream.schema) else replace(stream, schema=pa.schema(own))


def carried(headers: pa.Array, taken: Collection[str]) -> list[tuple[str, pa.Array]]:
    """Lists of names and values as columns, one a name, in the order in which they come; but for the names `taken`.

    A header that a message lacks and others have is null. One that comes twice in a message is two columns.
    """
    frame = pl.DataFrame({"row": pl.int_range(len(headers), eager=True), "pair": pl.Series(headers)})
    pairs = frame.explode("pair").drop_nulls().unnest("pair").filter(~pl.col("name").is_in(list(taken)))
    numbered = pairs.with_columns(turn=pl.int_range(pl.len()).over("row", "name"))
    found = []
    for (name, _), own in numbered.group_by("name", "turn", maintain_order=True):
        column = frame.select("row").join(own, on="row", how="left", maintain_order="left")["value"]
        values = column.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_binary())
        found.append((str(name), values))
    return found
