"""What a format is: one stream's facts to messages, whatever the sink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from sinks.formats.pieces import Piece

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream

NAMESPACE = "datagen"


class Format(ABC):
    """Turns the facts of one stream into messages, one a fact.

    Built once a stream, so that what depends on the schema alone is done once. `encode` and `values` may be called from
    any thread, one call at a time; formats that encode in bulk give `values` without making an object of each message.

    Formats that have a schema say in `language` what a schema registry calls it (`AVRO`, `PROTOBUF`, `JSON`), give it
    as `schema`, and name the type of the facts in `full_name`, which begins with `namespace`. They put `header`, set by
    whoever registered the schema, before every message.
    """

    name: ClassVar[str]
    content_type: ClassVar[str]
    language: ClassVar[str] = ""

    def __init__(self, stream: Stream, namespace: str = NAMESPACE) -> None:
        self.stream = stream
        self.namespace = namespace
        self.header = b""

    @abstractmethod
    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The message of each row of `data`, in order."""

    def values(self, data: pa.RecordBatch) -> pa.Array:
        """The same messages as one column: a large_binary array without nulls."""
        import pyarrow as pa

        return pa.array(self.encode(data), pa.large_binary())

    @property
    def schema(self) -> str:
        """The text of the schema; empty where the format has none."""
        return ""

    @property
    def full_name(self) -> str:
        """The name of the type of the facts, with its namespace; empty where the format has no schema."""
        return ""

    @property
    def pieces(self) -> list[Piece]:
        """The same schema with the types of objects inside it as schemas of their own, before those that refer to them;
        the one of the facts is the last.
        """
        return [Piece(self.full_name, self.schema)]

    @classmethod
    def padding(cls, size: int) -> bytes:
        """So many bytes that may stand behind a message without changing what it says; none where there are no such."""
        return b""

    def framing(self, schema_id: int) -> bytes:
        """What stands before each message whose schema a registry knows by that number: Confluent's wire format."""
        return b"\0" + schema_id.to_bytes(4, "big")


def messages(values: pa.Array, header: bytes) -> pa.Array:
    """Binary values as messages, each with `header` before it: a large_binary array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if header:
        # 16 ns a message; adding bytes to each in Python takes 50.
        values = pc.binary_join_element_wise(pa.scalar(header, values.type), values, pa.scalar(b"", values.type))
    return values.cast(pa.large_binary())
