"""`csv:DIR` writes CSV files, each with a header.

Instants are ISO-8601, UTC; null is an empty cell and empty text is `""`; lists and structs are JSON text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sinks.files import FileSink

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.batch import Stream
    from sinks.rolling import Writer


class Csv(FileSink):
    """A folder of CSV files a stream, with the options of all file sinks."""

    scheme = "csv"
    growth = 4

    def _begin(self, path: Path, stream: Stream) -> Writer:
        return CsvFile(path, stream.schema)


class CsvFile:
    """One CSV file, its header written at once."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from sinks.formats.csv import heading

        self._output = path.open("wb")
        self._output.write(heading(schema.names))

    def write(self, table: pa.Table) -> None:
        """Add facts."""
        from sinks.formats.csv import cells

        for batch in table.to_batches():
            cells(batch).write_csv(self._output, include_header=False)

    def size(self) -> int:
        """Bytes written so far."""
        return self._output.tell()

    def close(self) -> None:
        """Close the file."""
        self._output.close()
