"""What came of a run, read back from files or topics in a form that can be compared with what happened."""

from __future__ import annotations

import io
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from sim.batch import Stream
from sim.cli.forms import Chunk, of_data, of_json, of_text
from sim.errors import ParameterError, SinkError
from sinks import manifest
from sinks.formats.csv import cells
from sinks.target import Options, Target
from sinks.words import nearest

if TYPE_CHECKING:
    from sinks.contract import Run

_PART = re.compile(r"part-\d+-(\d+)-of-\d+\.")


class Source(ABC):
    """Where facts are read back; `whole` says whether all of a sequence is in order, or only each key."""

    whole = True
    clock: str | None = None
    """A column, of the stream or not, with the instant at which each fact came."""

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
                    yield of_data(batch, stream, sums, sequence, self.clock)
        except (pa.ArrowException, OSError) as error:
            raise SinkError(f"{path}: {error}") from error


class Csv(Files):
    """Files in CSV, each with a header."""

    kind = "csv"

    def _read(self, path: Path, stream: Stream, sums: Sequence[str], sequence: int) -> Iterator[Chunk]:
        try:
            yield of_text(pl.read_csv(path, infer_schema=False), stream, sums, sequence, self.clock)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SinkError(f"{path}: {error}") from error

    def truth(self, data: pa.RecordBatch, stream: Stream, sums: Sequence[str]) -> Chunk:
        """Facts as the text that they are in CSV."""
        written = io.BytesIO()
        cells(data).write_csv(written)
        written.seek(0)
        text = pl.read_csv(written, infer_schema=False)
        return of_text(text, stream, sums)


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
                    yield of_json(records.values, stream, sums, extent.partition, self.clock)


def run_of(folder: Path) -> Mapping[str, object] | None:
    """What a manifest in a folder says about the run; None where there is none."""
    found = (manifest.read(path) for path in sorted(folder.glob("manifest*.json")))
    return next((document for document in found if document), None)
