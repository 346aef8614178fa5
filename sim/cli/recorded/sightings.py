"""What came of a run, read back from files or topics in a form that can be compared with what happened."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Stream
from sim.cli.recorded.forms import Chunk, Clocks, of_data, of_text
from sim.errors import ParameterError, SinkError
from sinks import manifest
from sinks.formats.csv import cells
from sinks.formats.json import Objects
from sinks.target import Options, Target
from sinks.words import nearest

if TYPE_CHECKING:
    from sinks.decoding import Decoder
    from sinks.kafka.reading import Taken
    from sinks.run import Run

BROKER, DUE = "broker", "due"
"""Names for instants that stand beside a message: when the broker got it, and when it was meant to leave."""

_PART = re.compile(r"part-\d+-(\d+)-of-\d+\.")


class Source(ABC):
    """Where facts are read back; `whole` says whether all of a sequence is in order, or only each key."""

    whole = True
    clocks = Clocks()
    """Where it stands how long facts were on their way."""

    run: Run | None = None

    def __init__(self) -> None:
        self.objects: defaultdict[str, Objects] = defaultdict(Objects)
        """What facts are as text, by stream."""

    def begin(self, run: Run) -> None:
        """Make ready for the facts of a run."""
        self.run = run

    @abstractmethod
    def chunks(self, stream: Stream, run: Run, sums: Sequence[str]) -> Iterator[Chunk]:
        """The facts of a stream, sequence by sequence; of the columns `sums` the numbers too."""

    def truth(self, data: pa.RecordBatch, stream: Stream, sums: Sequence[str]) -> Chunk:
        """Facts as they happened, in the form in which they would be read back."""
        return of_data(data, stream, sums, self.objects[stream.name])

    def faint(self, stream: Stream) -> Sequence[str]:
        """Columns that may read the same whether null or not."""
        return ()


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
        super().__init__()
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
                    yield of_data(batch, stream, sums, self.objects[stream.name], sequence, self.clocks)
        except (pa.ArrowException, OSError) as error:
            raise SinkError(f"{path}: {error}") from error


class Csv(Files):
    """Files in CSV, each with a header."""

    kind = "csv"

    def _read(self, path: Path, stream: Stream, sums: Sequence[str], sequence: int) -> Iterator[Chunk]:
        try:
            yield of_text(pl.read_csv(path, infer_schema=False), stream, sums, sequence, self.clocks)
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
    """Topics, read from their beginning to their end of this moment.

    Of the instants between which a fact is on its way, `broker` and `due` stand beside the messages: when the broker
    got it, and the header of that name.
    """

    whole = False

    def __init__(self, target: Target) -> None:
        from sinks.kafka.reading import FactTopics

        super().__init__()
        self._topics = FactTopics(target)
        self._decoders: dict[str, Decoder] = {}

    def begin(self, run: Run) -> None:
        """Make ready for the messages of a run."""
        super().begin(run)
        self._decoders = {}

    def chunks(self, stream: Stream, run: Run, sums: Sequence[str]) -> Iterator[Chunk]:
        """The messages of the stream's topic; each partition is a sequence."""
        for taken in self._topics.taken(self._decoder(stream), run, headers=self.clocks.since == DUE):
            facts, partition = taken.decoded, taken.records.partition
            sizes = sizes_of(taken.records.values)[facts.places]
            objects, lost = self.objects[stream.name], len(facts.unreadable)
            chunk = of_data(facts.data, stream, sums, objects, partition, unreadable=lost, sizes=sizes)
            yield replace(chunk, waits=self._waits(taken, chunk.rows["time"])) if self.clocks.arrived else chunk

    def truth(self, data: pa.RecordBatch, stream: Stream, sums: Sequence[str]) -> Chunk:
        """Facts as far as the format and the envelope have a place for them."""
        return of_data(self._decoder(stream).as_read(data), stream, sums, self.objects[stream.name])

    def faint(self, stream: Stream) -> Sequence[str]:
        """Lists in Protobuf, which are empty where they are null."""
        return (
            [field.name for field in stream.schema if pa.types.is_list(field.type)]
            if self._topics.writing.form == "protobuf"
            else ()
        )

    def _decoder(self, stream: Stream) -> Decoder:
        assert self.run is not None
        if stream.name not in self._decoders:
            further = [name for name in self.clocks.names if name not in (BROKER, DUE)]
            self._decoders[stream.name] = self._topics.decoder(stream, self.run, further)
        return self._decoders[stream.name]

    def _waits(self, taken: Taken, times: pl.Series) -> pl.Series | None:
        columns = {name: pl.Series(taken.decoded.data.column(name)) for name in taken.decoded.data.schema.names}
        records, places = taken.records, taken.decoded.places
        if self.clocks.arrived == BROKER:
            if not records.appended and len(records.offsets):
                kept = "has the times of its producers, not those of the broker"
                raise ParameterError(f"topic {records.topic!r} {kept} (message.timestamp.type is not LogAppendTime)")
            columns[BROKER] = pl.Series(records.timestamps[places] * 1000)
        if self.clocks.since == DUE:
            values = due(records.headers)
            columns[DUE] = values.gather(places)
        return self.clocks.waits(columns, times)


def sizes_of(values: Sequence[bytes | None]) -> NDArray[np.int64]:
    """The bytes of each message; 0 of those without a value."""
    return pl.Series(values, dtype=pl.Binary).bin.size().fill_null(0).cast(pl.Int64).to_numpy()


def due(headers: Sequence[Sequence[tuple[str, bytes | None]] | None]) -> pl.Series:
    """What the header `due` says of each message, int64 microseconds; null where it says nothing."""
    texts = [dict(own).get(DUE) if own else None for own in headers]
    return pl.Series(texts, dtype=pl.Binary).cast(pl.String, strict=False).cast(pl.Int64, strict=False)


def run_of(folder: Path) -> Mapping[str, object] | None:
    """What a manifest in a folder says about the run; None where there is none."""
    found = (manifest.read(path) for path in sorted(folder.glob("manifest*.json")))
    return next((document for document in found if document), None)
