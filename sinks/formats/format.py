"""What a format is: one stream's facts to messages, whatever the sink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream


class Format(ABC):
    """Turns the facts of one stream into messages, one a fact.

    Built once a stream, so that what depends on the schema alone is done once. `encode` may be called from any
    thread, one call at a time.
    """

    name: ClassVar[str]
    content_type: ClassVar[str]

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @abstractmethod
    def encode(self, data: pa.RecordBatch) -> list[bytes]:
        """The message of each row of `data`, in order."""
