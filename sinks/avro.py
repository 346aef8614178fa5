"""`avro:DIR` writes Avro object container files: a header with the schema, then blocks of records.

Records come from the format `avro`, so bulk-encoded where they can be; what is left to do here is the framing of
blocks, which the specification of Avro 1.11 says under "Object Container Files".
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sinks.files import FileSink
from sinks.target import Options

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream
    from sinks.formats.avro import Avro as Format
    from sinks.rolling import Writer

ROWS = 8192
"""The most records of a block: readers take one block at a time into memory."""

MAGIC = b"Obj\x01"


def _deflate(data: bytes) -> bytes:
    # Without the header and checksum of zlib, as the specification wants it; level 1 takes a third of the time of 6.
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _zstd(data: bytes) -> bytes:
    import pyarrow as pa

    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


CODECS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "deflate": ("deflate", _deflate),
    "zstd": ("zstandard", _zstd),
    "none": ("null", bytes),
}
"""What `compression=` can say: the name that Avro has for it, and what does it to a block."""


class Avro(FileSink):
    """A folder of Avro files a stream; beside the options of all file sinks, `compression` and `namespace`."""

    scheme = "avro"
    growth = 2

    def _options(self, options: Options) -> None:
        from sinks.formats.normal import check_namespace

        self._codec = options.choice("compression", CODECS, "deflate")
        self._namespace = check_namespace(options.text("namespace"))

    def _begin(self, path: Path, stream: Stream) -> Writer:
        from sinks.formats.avro import Avro as Format
        from sinks.formats.normal import namespace_of

        assert self.run is not None
        mark = hashlib.sha256(f"{self.run.digest} {self.run.seed} {path.name}".encode()).digest()[:16]
        return AvroFile(path, Format(stream, self._namespace or namespace_of(self.run.scenario)), mark, self._codec)


class AvroFile:
    """One container file; its header is written at once. `mark` are the 16 bytes that end every block."""

    def __init__(self, path: Path, form: Format, mark: bytes, codec: str = "deflate") -> None:
        name, self._pack = CODECS[codec]
        self._form, self._mark = form, mark
        self._output = path.open("wb")
        about = {"avro.codec": name.encode(), "avro.schema": form.schema.encode()}
        pairs = b"".join(_octets(key.encode()) + _octets(value) for key, value in about.items())
        self._output.write(MAGIC + _number(len(about)) + pairs + _number(0) + mark)

    def write(self, table: pa.Table) -> None:
        """Add facts, as blocks."""
        for batch in table.to_batches(max_chunksize=ROWS):
            for rows in self._form.records(batch):
                block = self._pack(_joined(rows))
                self._output.write(_number(len(rows)) + _octets(block) + self._mark)

    def size(self) -> int:
        """Bytes written so far."""
        return self._output.tell()

    def close(self) -> None:
        """Close the file."""
        self._output.close()


def _joined(rows: pa.Array) -> bytes:
    """The records of a binary or large_binary array one after the other, as they stand in its buffer."""
    import numpy as np
    import pyarrow as pa

    _, offsets, values = rows.buffers()
    numbers = np.frombuffer(offsets, np.int32 if rows.type == pa.binary() else np.int64)
    bounds = numbers[[rows.offset, rows.offset + len(rows)]].tolist()
    joined: bytes = values.slice(bounds[0], bounds[1] - bounds[0]).to_pybytes()
    return joined


def _number(value: int) -> bytes:
    """A `long` that is not negative: zigzag, then seven bits a byte, the lowest first."""
    rest, found = value << 1, bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def _octets(value: bytes) -> bytes:
    return _number(len(value)) + value
