"""Protobuf messages to columns, in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sim.errors import MissingExtra, SinkError
from sinks.decoding.parts import Parser, Part, Values, salvaged

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


class Protobuf(Parser):
    """Messages of one type; instants and spans are in microseconds, enumerations text.

    Raises SinkError for a message that holds itself, MissingExtra where the decoder is not installed.
    """

    def __init__(self, message: Descriptor) -> None:
        try:
            import ptars
        except ImportError:
            raise MissingExtra("protobuf", "the format protobuf") from None
        _check(message, ())
        settings = ptars.PtarsConfig(timestamp_unit="us", duration_unit="us", enum_repr="string")
        self._handler = ptars.HandlerPool([message.file], settings).get_for_message(message)
        self.schema: pa.Schema = self._handler.list_to_record_batch([]).schema

    def parse(self, values: Values) -> Part:
        """The messages."""
        return salvaged(values, self._in_bulk, ValueError, self._in_bulk)

    def _in_bulk(self, values: Values) -> pa.RecordBatch:
        found: pa.RecordBatch = self._handler.list_to_record_batch(list(values))
        return found


def _check(message: Descriptor, inside: tuple[str, ...]) -> None:
    """Raise SinkError where a message holds one of its own kind, however deep: there is no column like that."""
    if message.full_name in inside:
        raise SinkError(f"the Protobuf message {message.full_name!r} holds itself: there is no column like that")
    for field in message.fields:
        if field.message_type is not None:
            _check(field.message_type, (*inside, message.full_name))
