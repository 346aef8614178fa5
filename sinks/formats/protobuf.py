"""Protobuf (proto3): a fact is one message.

A batch goes from Arrow to bytes at once. What Protobuf has no type for is text: dates and times of day as ISO-8601,
decimals as digits. Instants without a time zone are timestamps as if they were UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sim.errors import MissingExtra
from sinks.formats import protobuf_schema as proto
from sinks.formats.format import NAMESPACE, Format, messages
from sinks.formats.lists import repeatable
from sinks.formats.normal import type_name
from sinks.formats.pieces import Piece
from sinks.formats.wire import Wire

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

    from sim.batch import Stream


_LAST_FIELD = 2**29 - 1


class Protobuf(Format):
    """One Protobuf message a fact, of the type `descriptor`. Raises MissingExtra where the encoder is not installed."""

    name = "protobuf"
    content_type = "application/protobuf"
    language = "PROTOBUF"

    def __init__(self, stream: Stream, namespace: str = NAMESPACE) -> None:
        super().__init__(stream, namespace)
        self._wire = Wire(stream, proto.wire_type)
        self._message = proto.message(self._wire.columns, type_name(stream.name), stream.description)
        self.descriptor = _described(self._message, namespace)
        self._handler = _handler(self.descriptor)

    @property
    def schema(self) -> str:
        """The .proto file."""
        return proto.text(self._message, self.namespace)

    @property
    def pieces(self) -> list[Piece]:
        """The file and those of the messages inside the message."""
        return proto.pieces(self._message, self.namespace)

    @property
    def full_name(self) -> str:
        """Package and name of the message."""
        return f"{self.namespace}.{self._message.name}"

    def framing(self, schema_id: int) -> bytes:
        """Protobuf's has one byte more: which message of the file it is, and it is the first."""
        return super().framing(schema_id) + b"\0"

    @classmethod
    def padding(cls, size: int) -> bytes:
        """A field that no message has, of the last number there may be, which takes so many bytes."""
        tag = _varint(_LAST_FIELD << 3 | 2)
        length = size - len(tag) - len(_varint(size))
        return (tag + _varint(length)).ljust(size, b"\0")

    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The message of each row of `data`, after the header, in order."""
        found: list[bytes] = self.values(data).to_pylist()
        return found

    def values(self, data: pa.RecordBatch) -> pa.Array:
        """The same messages as one large_binary array."""
        arrays = [repeatable(column) for column in self._wire.arrays(data)]
        rows = self._handler.record_batch_to_array(pa.RecordBatch.from_arrays(arrays, self._wire.schema.names))
        return messages(rows, self.header)


def _varint(number: int) -> bytes:
    """A number as Protobuf writes it: seven bits a byte, the last ones first."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _described(top: proto.Message, package: str) -> Descriptor:
    """The message as the Protobuf library knows messages."""
    try:
        from google.protobuf import duration_pb2, timestamp_pb2
        from google.protobuf.descriptor_pool import DescriptorPool
    except ImportError:
        raise MissingExtra("protobuf", "the format protobuf") from None
    # A pool of its own: streams of other runs in this process may have the same names.
    pool = DescriptorPool()
    for known in (timestamp_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(proto.descriptor(top, package).SerializeToString())
    return pool.FindMessageTypeByName(f"{package}.{top.name}")


def _handler(found: Descriptor) -> Any:
    try:
        import ptars
    except ImportError:
        raise MissingExtra("protobuf", "the format protobuf") from None
    settings = ptars.PtarsConfig(timestamp_unit="us", duration_unit="us")
    return ptars.HandlerPool([found.file], settings).get_for_message(found)
