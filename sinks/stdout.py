"""`stdout:` prints the facts of all streams as one sequence, in the total order.

JSON lines by default, each with the name of its stream first; `stdout:?format=csv` prints one table whose columns are
those of all streams, in the order of the streams, empty where a stream lacks one.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from sim.errors import ParameterError
from sinks.contract import Closed, Sink
from sinks.run import Report, Run
from sinks.staging import Staged
from sinks.target import Options, Target

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from sim.batch import Batch, Stream
    from sinks.formats.json import Objects


_NAME = "stream"
"""The member of a line, and the column of the table, that says of which stream a fact is."""


class Stdout(Sink):
    """Holds a window's batches and prints them, merged, when the window is committed."""

    scheme = "stdout"
    guarantee = "exactly once, in the total order, as far as the reader reads"
    interleaved = True
    acknowledges = "emit"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        options = Options(target)
        self._csv = options.choice("format", ("json", "csv"), "json") == "csv"
        options.finish()
        self._pending: list[Batch] = []
        self._bytes = 0
        self._texts: frozenset[str] = frozenset()
        self._columns: list[str] = []
        self._lines: dict[str, Objects] = {}

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        for stream in streams:
            if _NAME in stream.schema.names:
                raise ParameterError(
                    f"stdout: {stream.name} has a column {_NAME!r}, which is where the name of the stream goes here;"
                    " rename it, or take another sink"
                )
        self._output: BinaryIO = sys.stdout.buffer
        if self._csv:
            from sinks.formats.csv import heading

            self._columns, self._texts = _union(streams)
            self._put(heading(self._columns))
        else:
            from sinks.formats.json import Objects

            self._lines = {stream.name: Objects({_NAME: stream.name}, b"\n") for stream in streams}

    def _write(self, batch: Batch) -> None:
        self._pending.append(batch)

    def _commit(self, watermark: int) -> None:
        from sinks.merge import slices

        pending, self._pending = self._pending, []
        for group in slices(pending):
            self._put(self._table(group) if self._csv else self._text(group)[0])
        self._flush()

    def _stage(self, batches: Sequence[Batch], due: NDArray[np.int64]) -> Staged:
        return Staged(self, batches) if self._csv else _Lines(self, batches)

    def _close(self, sound: bool) -> Report:
        with suppress(Closed):
            self._flush()
        facts = self.committed
        return Report(facts, bytes=self._bytes, acknowledged=sum(facts.values()), until=self.watermark)

    def _put(self, text: bytes | memoryview) -> None:
        with self._reader():
            self._output.write(text)
        self._bytes += len(text)

    def _flush(self) -> None:
        with self._reader():
            self._output.flush()

    @contextmanager
    def _reader(self) -> Iterator[None]:
        """Around whatever waits for the reader, who may be gone."""
        began = time.monotonic()
        try:
            yield
        except BrokenPipeError:
            _silence()
            raise Closed from None
        self.blocked += time.monotonic() - began

    def _text(self, group: Sequence[Batch]) -> tuple[memoryview, NDArray[np.int64]]:
        """The facts of a group as JSON lines in their total order: the whole text, and where in it each begins."""
        import numpy as np
        import polars as pl

        from sinks.formats.columns import binary
        from sinks.merge import order

        if not group:
            return memoryview(b""), np.zeros(1, dtype=np.int64)
        texts = [self._lines[batch.stream.name].texts(batch.data) for batch in group]
        merged = texts[0] if len(texts) == 1 else binary(pl.concat(map(pl.Series, texts))[order(group)])
        # All the text is one buffer: it is the output.
        ends = np.frombuffer(merged.buffers()[1], dtype=np.int64)[merged.offset : merged.offset + len(merged) + 1]
        return memoryview(merged.buffers()[2]), ends

    def _table(self, group: list[Batch]) -> bytes:
        import polars as pl

        from sinks.formats.csv import cells
        from sinks.merge import order

        parts = [cells(batch.data).insert_column(0, _name(batch)) for batch in group]
        texts = [part.with_columns(pl.col(set(part.columns) & self._texts).cast(pl.String)) for part in parts]
        merged = pl.concat(texts, how="diagonal")[order(group)]
        absent = [pl.lit(None).alias(name) for name in self._columns if name not in merged.columns]
        text = io.BytesIO()
        merged.with_columns(absent).select(self._columns).write_csv(text, include_header=False)
        return text.getvalue()


class _Lines(Staged):
    """JSON lines that wait for their time."""

    gradual = True
    sink: Stdout

    def __init__(self, sink: Stdout, batches: Sequence[Batch]) -> None:
        super().__init__(sink, batches)
        self._text, self._ends = sink._text(batches)

    def _send(self, upto: int, first: Sequence[int], last: Sequence[int]) -> None:
        self.sink._put(self._text[self._ends[self.sent] : self._ends[upto]])
        self.sink._flush()


def _name(batch: Batch) -> pl.Series:
    import polars as pl

    return pl.repeat(batch.stream.name, len(batch), eager=True).alias(_NAME)


def _union(streams: Sequence[Stream]) -> tuple[list[str], frozenset[str]]:
    """The columns of all streams, and those that have one type here and another there, which become text."""
    types: dict[str, set[str]] = {}
    for stream in streams:
        for column in stream.schema:
            types.setdefault(column.name, set()).add(str(column.type))
    return [_NAME, *types], frozenset(name for name, found in types.items() if len(found) > 1)


def _silence() -> None:
    # The interpreter flushes stdout once more when it ends, and would complain then.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
