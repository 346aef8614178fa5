"""Avro records to columns: in bulk, or one by one where there are bytes and decimals, as for encoding."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from sim.errors import MissingExtra
from sinks.decoding.avro_types import Record
from sinks.decoding.parts import Parser, Part, Values, salvaged
from sinks.decoding.shape import shaped
from sinks.formats.avro import tell_slow


class Avro(Parser):
    """Records of the schema `text`, whose types may refer to those of the schemas `further`.

    Raises SinkError for a schema whose records cannot be columns, and MissingExtra where no decoder is installed.
    """

    def __init__(self, text: str, further: Iterable[str] = ()) -> None:
        self._record = Record(text, further)
        self.schema = self._record.schema
        bulk, self._single = _library("pyruhvro"), _library("fastavro")
        self._bulk = bulk if self._record.bulk else None
        if self._bulk is None and self._single is None:
            raise MissingExtra("avro", "the format avro")
        if bulk is None:
            tell_slow()
        self._text = json.dumps(self._record.plain)

    def parse(self, values: Values) -> Part:
        """The records."""
        if self._bulk is None:
            return self._one_by_one(values)
        return salvaged(values, lambda sound: shaped(self._in_bulk(sound), self.schema), ValueError, self._in_bulk)

    def _in_bulk(self, values: Values) -> pa.RecordBatch:
        assert self._bulk is not None
        found: pa.RecordBatch = self._bulk.deserialize_array(list(values), self._text)
        # The decoder takes text as it is, UTF-8 or not. ArrowInvalid is a ValueError.
        found.validate(full=True)
        return found

    def _one_by_one(self, values: Values) -> Part:
        assert self._single is not None
        parsed, reader = self._single.parse_schema(self._record.plain), self._single.schemaless_reader
        kind = pa.struct(list(self._record.wire))

        def read(value: bytes) -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = reader(io.BytesIO(value), parsed, None)
            # A library that meets bytes at random raises whatever comes to its mind.
            except Exception:
                return None
            return found

        rows = list(map(read, values))
        places = np.flatnonzero(np.array([row is not None for row in rows], bool))
        made = pa.array([row for row in rows if row is not None], kind)
        return Part(shaped(pa.RecordBatch.from_struct_array(made), self.schema), places)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
