"""Avro: a fact is the binary encoding of one record, without a file's header.

The bulk encoder goes from Arrow to bytes for a whole batch at once; bytes and decimals, which it does not know, take
the way of one record at a time, as everything does where it is not installed. After many facts compiled code takes over
from both, for records of single values. The bytes are the same.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sim.errors import MissingExtra
from sinks.formats import loading
from sinks.formats.avro_records import Records, is_single
from sinks.formats.avro_schema import is_wide, record, wire, wire_type
from sinks.formats.format import NAMESPACE, Format, messages
from sinks.formats.normal import type_name
from sinks.formats.pieces import Piece, avro_pieces
from sinks.formats.wire import Wire

if TYPE_CHECKING:
    from sim.batch import Stream

LOG = logging.getLogger("datagen.sinks")

Encode = Callable[[pa.RecordBatch], list[pa.Array]]
"""A batch of wire types to its rows, as binary arrays."""


class Avro(Format):
    """One Avro record a message. Raises MissingExtra where no encoder is installed."""

    name = "avro"
    content_type = "application/avro"
    language = "AVRO"

    def __init__(self, stream: Stream, namespace: str = NAMESPACE) -> None:
        super().__init__(stream, namespace)
        self._wire = Wire(stream, wire_type)
        self._record = record(self._wire.columns, type_name(stream.name), namespace, stream.description)
        self._encode = encoder(wire(self._record), any(map(is_wide, self._wire.columns.types)))
        self._is_single = is_single(self._wire.columns)
        self._compiled: Records | None = None

    @property
    def schema(self) -> str:
        """The record's schema as JSON."""
        return json.dumps(self._record)

    @property
    def full_name(self) -> str:
        """Namespace and name of the record."""
        return f"{self.namespace}.{self._record['name']}"

    @property
    def pieces(self) -> list[Piece]:
        """The record and those inside it."""
        return avro_pieces(self._record)

    @classmethod
    def padding(cls, size: int) -> bytes:
        """Whatever it is: where a record ends, its schema says."""
        return bytes(size)

    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The record of each row of `data`, after the header, in order."""
        found: list[bytes] = self.values(data).to_pylist()
        return found

    def values(self, data: pa.RecordBatch) -> pa.Array:
        """The same messages as one large_binary array."""
        written = self._written(data, self.header)
        if written is not None:
            return written
        made = [messages(rows, self.header) for rows in self._encoded(data)]
        return made[0] if len(made) == 1 else pa.concat_arrays([pa.array([], pa.large_binary()), *made])

    def records(self, data: pa.RecordBatch) -> list[pa.Array]:
        """The record of each row of `data`, without the header, as arrays, binary or large_binary, that follow each
        other.
        """
        written = self._written(data, b"")
        return self._encoded(data) if written is None else [written]

    def _encoded(self, data: pa.RecordBatch) -> list[pa.Array]:
        if not data.num_rows:
            return []
        return self._encode(pa.RecordBatch.from_arrays(self._wire.arrays(data), schema=self._wire.schema))

    def _written(self, data: pa.RecordBatch, header: bytes) -> pa.Array | None:
        """The messages by compiled code; None where it is not there, or not made for them."""
        if not self._is_single or not data.num_rows:
            return None
        kernel = loading.AVRO.after(data.num_rows)
        if kernel is None:
            return None
        self._compiled = self._compiled or Records(kernel, self._wire.columns)
        return self._compiled.written(data, header)


def encoder(schema: Any, wide: bool) -> Encode:
    """What encodes rows of `schema`; `wide` where it has bytes or decimals."""
    bulk, single = _library("pyruhvro"), _library("fastavro")
    if bulk is not None and not wide:
        text = json.dumps(schema)
        return lambda data: list(bulk.serialize_record_batch(data, text, 1))
    if single is None:
        raise MissingExtra("avro", "the format avro")
    if bulk is None:
        tell_slow()
    return _one_by_one(single, schema)


@cache
def tell_slow() -> None:
    """Say, once, that the bulk encoder is missing."""
    LOG.warning("pyruhvro is not installed: Avro is encoded record by record, twenty times as slowly")


def _one_by_one(fastavro: Any, schema: Any) -> Encode:
    parsed = fastavro.parse_schema(schema)
    write = fastavro.schemaless_writer

    def encoded(row: dict[str, Any]) -> bytes:
        out = io.BytesIO()
        write(out, parsed, row)
        return out.getvalue()

    return lambda data: [pa.array(map(encoded, data.to_pylist()), pa.binary())]


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
