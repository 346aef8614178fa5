"""What came of a run, read back from files or topics in a form that can be compared with what happened."""

from __future__ import annotations

import io
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from sim.batch import TIME, Stream
from sim.errors import ParameterError, SinkError
from sinks import manifest
from sinks.formats.columns import frame, plain
from sinks.formats.csv import cells
from sinks.formats.json import objects
from sinks.target import Options, Target
from sinks.words import nearest

if TYPE_CHECKING:
    from sinks.contract import Run

_INSTANT = "%Y-%m-%dT%H:%M:%S%.fZ"
_PART = re.compile(r"part-\d+-(\d+)-of-\d+\.")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some facts of a stream, in order: `id`, `time` (int64 microseconds), `key` and `digest`, and columns of numbers.

    `sequence` numbers the files or the partition that have an order among themselves; `unreadable` counts what is no
    fact of the stream.
    """

    rows: pl.DataFrame
    numbers: Mapping[str, pl.Series]
    sequence: int = 0
    unreadable: int = 0


class Source(ABC):
    """Where facts are read back; `whole` says whether all of a sequence is in order, or only each key."""

    whole = True

    @abstractmethod
    def chunks(self, stream: Stream, run: Run, sums: Sequence[str]) -> Iterator[Chunk]:
        """The facts of a stream, sequence by sequence; of the columns `sums` the numbers too."""

    def truth(self, data: pa.RecordBatch, stream: Stream, sums: Sequence[str]) -> Chunk:
        """Facts as they happened, in the form in which they would be read back."""
        return of_data(data, stream, sums)


def source(url: str, settings: Mapping[str, str]) -> Source:
    """The source that `url` names: `parquet:DIR`, `csv:DIR` or `kafka://HOST:PORT`. Raises ParameterError."""
    target = Target.parse(url, settings)
    kinds: dict[str, type[Source]] = {"parquet": Parquet, "csv": Csv, "kafka": Kafka}
    if target.scheme not in kinds:
        raise ParameterError(f"{target.url}: cannot be read back{nearest(target.scheme, kinds)}")
    return kinds[target.scheme](target)  # type: ignore[call-arg]


class Files(Source):
    """A folder with a folder for each stream, as the sinks of files write it, or anybody else."""

    kind = ""

    def __init__(self, target: Target) -> None:
        Options(target).finish()
        self.root = Path(target.location)
        if not self.root.is_dir():
            raise SinkError(f"{target.url}: is not a folder")

    def chunks(self, stream: Stream, run: Run, sums: Sequence[str]) -> Iterator[Chunk]:
        """The facts of the stream's files: those of one shard are one sequence, a foreign file is one of its own."""
        paths = sorted((self.root / stream.name).rglob(f"*.{self.kind}"), key=lambda path: path.name)
        for number, path in enumerate(path for path in paths if not path.name.startswith(".")):
            found = _PART.match(path.name)
            yield from self._read(path, stream, sums, int(found[1]) if found else 10_000 + number)

    @abstractmethod
    def _read(self, path: Path, stream: Stream, sums: Sequence[str], sequence: int) -> Iterator[Chunk]:
        """The facts of one file."""


class Parquet(Files):
    """Files in Parquet."""

    kind = "parquet"

    def _read(self, path: Path, stream: Stream, sums: Sequence[str], sequence: int) -> Iterator[Chunk]:
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(path) as opened:
                for batch in opened.iter_batches():
                    yield of_data(_shaped(batch, stream), stream, sums, sequence)
        except (pa.ArrowException, OSError) as error:
            raise SinkError(f"{path}: {error}") from error


class Csv(Files):
    """Files in CSV, each with a header."""

    kind = "csv"

    def _read(self, path: Path, stream: Stream, sums: Sequence[str], sequence: int) -> Iterator[Chunk]:
        try:
            yield self._chunk(pl.read_csv(path, infer_schema=False), stream, sums, sequence)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SinkError(f"{path}: {error}") from error

    def truth(self, data: pa.RecordBatch, stream: Stream, sums: Sequence[str]) -> Chunk:
        """Facts as the text that they are in CSV."""
        written = io.BytesIO()
        cells(data).write_csv(written)
        written.seek(0)
        text = pl.read_csv(written, infer_schema=False)
        return self._chunk(text, stream, sums)

    def _chunk(self, text: pl.DataFrame, stream: Stream, sums: Sequence[str], sequence: int = 0) -> Chunk:
        missing = [pl.lit(None, pl.String).alias(name) for name in stream.schema.names if name not in text.columns]
        return of_text(text.with_columns(missing).select(stream.schema.names), stream, sums, sequence)


class Kafka(Source):
    """Topics whose values are JSON objects, read from their beginning to their end of this moment."""

    whole = False

    def __init__(self, target: Target) -> None:
        from sinks.kafka.settings import resolve

        options = Options(target)
        options.choice("format", ("json",), "json")
        self._template = options.text("prefix") + options.text("topic", "{stream}")
        self._timeout = options.span("timeout", 10_000_000) / 1_000_000
        self._settings = resolve(target, options.text("config"))
        options.finish(settings=True)
        self._url = target.url

    def chunks(self, stream: Stream, run: Run, sums: Sequence[str]) -> Iterator[Chunk]:
        """The messages of the stream's topic; each partition is a sequence."""
        from sinks.kafka.records import Reader
        from sinks.kafka.topics import name

        topic = name(self._template, run.scenario, stream.name)
        with Reader(self._settings, self._url, self._timeout) as reader:
            for extent in reader.extents([topic]):
                for records in reader.read(extent, threading.Event()):
                    yield of_json(records.values, stream, sums, extent.partition)


def of_data(data: pa.RecordBatch, stream: Stream, sums: Sequence[str], sequence: int = 0) -> Chunk:
    """Facts as Arrow data."""
    columns = {name: pl.Series(name, data.column(name)) for name in sums}
    rows = pl.DataFrame(
        {
            "id": pl.Series(data.column(stream.id)),
            "time": pl.Series(data.column(TIME)).to_physical(),
            "key": _texts(data.column(stream.key)),
            "digest": objects(data).hash(),
        }
    )
    return Chunk(rows, {name: column.cast(pl.Float64) for name, column in columns.items()}, sequence)


def of_text(text: pl.DataFrame, stream: Stream, sums: Sequence[str], sequence: int = 0) -> Chunk:
    """Facts as text, a column each."""
    digest = text.select(pl.struct(pl.all()).struct.json_encode()).to_series().hash()
    rows = text.select(
        pl.col(stream.id).cast(pl.Int64, strict=False).alias("id"),
        pl.col(TIME).str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64).alias("time"),
        pl.col(stream.key).cast(pl.String).alias("key"),
    ).with_columns(digest=digest)
    readable = rows.select(pl.all_horizontal(pl.col("id", "time").is_not_null())).to_series()
    numbers = {name: text[name].cast(pl.Float64, strict=False).filter(readable) for name in sums}
    return Chunk(rows.filter(readable), numbers, sequence, int((~readable).sum()))


def of_json(values: Sequence[bytes | None], stream: Stream, sums: Sequence[str], sequence: int = 0) -> Chunk:
    """Facts as JSON objects; members that the stream does not have do not count, those that are missing are null."""
    shape = _Shape.of(stream)
    parsed = shape.parsed([value for value in values if value is not None])
    readable = parsed.filter(pl.col(stream.id).is_not_null() & pl.col(TIME).is_not_null())
    times = readable[TIME].str.to_datetime(_INSTANT, strict=False, time_unit="us").cast(pl.Int64)
    rows = pl.DataFrame(
        {
            "id": readable[stream.id],
            "time": times,
            "key": readable[stream.key].cast(pl.String),
            "digest": readable.select(pl.struct(pl.all()).struct.json_encode()).to_series().hash(),
        }
    )
    known = rows["time"].is_not_null()
    numbers = {name: readable[name].cast(pl.Float64).filter(known) for name in sums}
    missing = sum(value is not None for value in values) - int(known.sum())
    return Chunk(rows.filter(known), numbers, sequence, missing)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the JSON objects of a stream are made of."""

    dtype: pl.Struct
    broken: pl.DataFrame = field(repr=False)

    @classmethod
    def of(cls, stream: Stream) -> _Shape:
        nothing = [pa.nulls(0, column.type) for column in stream.schema]
        empty = frame(pa.RecordBatch.from_arrays(nothing, schema=stream.schema))
        kinds = empty.select([plain(name, dtype).alias(name) for name, dtype in empty.schema.items()]).schema
        return cls(pl.Struct(kinds), pl.DataFrame(schema=kinds).clear(1))

    def parsed(self, values: Sequence[bytes]) -> pl.DataFrame:
        """One row a value, all null where it is not such an object.

        What is broken is found by halving: parsers refuse a text that is broken anywhere, and mostly none is.
        """
        if not values:
            return self.broken.clear()
        try:
            text = pl.Series(values, dtype=pl.Binary).cast(pl.String)
            return text.str.json_decode(self.dtype).struct.unnest()
        except pl.exceptions.PolarsError:
            if len(values) == 1:
                return self.broken
            half = len(values) // 2
            return pl.concat([self.parsed(values[:half]), self.parsed(values[half:])])


def _shaped(batch: pa.RecordBatch, stream: Stream) -> pa.RecordBatch:
    """The columns of the stream, in its types; null where the file has none."""
    present = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [
        present[column.name].cast(_plain(column.type)) if column.name in present else pa.nulls(len(batch), column.type)
        for column in stream.schema
    ]
    return pa.RecordBatch.from_arrays(columns, names=stream.schema.names)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _texts(column: pa.Array) -> pl.Series:
    return pl.Series(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).cast(pl.String)


def run_of(folder: Path) -> Mapping[str, object] | None:
    """What a manifest in a folder says about the run; None where there is none."""
    found = (manifest.read(path) for path in sorted(folder.glob("manifest*.json")))
    return next((document for document in found if document), None)
