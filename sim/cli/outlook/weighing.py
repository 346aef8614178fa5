"""How many bytes a run will be in each kind of output: a few facts of every stream are written and measured."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sim.errors import MissingExtra

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream
    from sim.engine.forecast import Forecast, StreamForecast

FORMATS = {"json": "stdout:", "csv": "csv:", "avro": "", "protobuf": ""}
"""The formats that are measured, as far as what they need is installed, and the sinks that write lines of them."""

_RECORD = 12
"""Bytes that Kafka's record format adds to key and value (KIP-98): lengths, offset and timestamp as differences."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One kind of output: bytes by stream, and the seconds of processor time that starting and writing take."""

    output: str
    bytes: Mapping[str, float]
    seconds: float

    @property
    def total(self) -> float:
        """The bytes of all streams."""
        return sum(self.bytes.values())


def weigh(streams: Iterable[Stream], expected: Forecast, start_s: float = 0.0) -> list[Weight]:
    """The expected output of a run: Parquet files, text lines, and topics by format, not compressed by the client.

    `start_s` is the processor time that passes before the first fact.
    """
    pairs = list(zip(streams, expected.streams, strict=True))
    found = [_weight("parquet:", [(own, _parquet(stream, own)) for stream, own in pairs])]
    for name, lines in FORMATS.items():
        try:
            measured = [(own, *_messages(name, stream, own)) for stream, own in pairs]
        except MissingExtra:
            continue
        if lines:
            more = {own.name: len(f'"stream":"{own.name}",') if name == "json" else 0 for own in expected.streams}
            told = [(own, (values + more[own.name] + 1, seconds)) for own, values, _, seconds in measured]
            found.append(_weight(lines, told))
        if name != "csv":
            told = [(own, (values + keys + _RECORD, seconds)) for own, values, keys, seconds in measured]
            found.append(_weight(f"kafka: {name}", told))
    return [replace(weight, seconds=start_s + weight.seconds) for weight in found]


def _weight(output: str, measured: Iterable[tuple[StreamForecast, tuple[float, float]]]) -> Weight:
    """From bytes and seconds of one fact to those of all."""
    told = list(measured)
    bytes_ = {own.name: own.facts * each for own, (each, _) in told}
    return Weight(output, bytes_, sum(own.facts * seconds for own, (_, seconds) in told))


def _parquet(stream: Stream, own: StreamForecast) -> tuple[float, float]:
    """Bytes and seconds of one fact in a Parquet file as the sink writes it."""
    from sim.engine.forecast import sample_table
    from sinks.parquet import ParquetFile

    table = sample_table(own)
    if table is None:
        return 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="datagen-plan-") as folder:
        file = ParquetFile(Path(folder) / "sample.parquet", stream.schema)
        began = time.process_time()
        file.write(table)
        spent, size = time.process_time() - began, file.size()
        file.close()
    return size / len(table), spent / len(table)


def _messages(name: str, stream: Stream, own: StreamForecast) -> tuple[float, float, float]:
    """Bytes of one fact's message and of its key, and seconds of encoding it."""
    from sim.engine.forecast import sample_table
    from sinks import formats
    from sinks.kafka.keys import Keys

    form, table = formats.find(name)(stream), sample_table(own)
    if table is None:
        return 0.0, 0.0, 0.0
    batch = _batch(table)
    began = time.process_time()
    values = form.encode(batch)
    spent = time.process_time() - began
    keys = Keys(stream).of(batch).drop_null().to_pylist()
    return sum(map(len, values)) / len(batch), sum(map(len, keys)) / len(batch), spent / len(batch)


def _batch(table: pa.Table) -> pa.RecordBatch:
    return table.unify_dictionaries().combine_chunks().to_batches()[0]
