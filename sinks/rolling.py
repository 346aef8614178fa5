"""One stream's files: facts are gathered into large pieces, files are begun, rolled, sealed and published.

A file is written under a hidden name. It is *sealed* once its last byte is on disk and *published*, by renaming it,
when the window whose facts it ends with is committed: a visible file never has half a window at its end.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.batch import Batch, Stream, event_times
from sinks.layout import Layout
from sinks.manifest import File, instant

if TYPE_CHECKING:
    import pyarrow as pa

DAY = 86_400_000_000


class Writer(Protocol):
    """Writes one file of one format."""

    def write(self, table: pa.Table) -> None:
        """Add facts."""

    def size(self) -> int:
        """Bytes written so far."""

    def close(self) -> None:
        """Finish the file."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """When a file ends: above `size` bytes, at multiples of `span` microseconds of event time (0: never), and at
    midnight UTC where files are partitioned `by_date`. Facts are encoded in pieces of `piece` bytes of Arrow data; the
    file is measured after each, so a piece must not become larger than a file.
    """

    size: int
    piece: int
    span: int = 0
    by_date: bool = False

    def cut(self, batch: Batch) -> Iterator[tuple[tuple[int, int], pa.RecordBatch]]:
        """Split a batch where a file must end; each part with its (day, span) number, 0 where that plays no role.

        Facts that arrive late go by the time of their arrival: a file that is finished stays as it is.
        """
        times, data = batch.times, batch.data
        days = times // DAY if self.by_date else np.zeros_like(times)
        spans = times // self.span if self.span else np.zeros_like(times)
        inner = np.flatnonzero((np.diff(days) != 0) | (np.diff(spans) != 0)) + 1
        edges = [0, *inner.tolist(), len(times)]
        for first, until in pairwise(edges):
            yield (int(days[first]), int(spans[first])), data.slice(first, until - first)

    def pieces(self, data: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Split a batch so that no part is much above a piece in size."""
        rows = max(1, self.piece * len(data) // max(data.nbytes, 1))
        for first in range(0, len(data), rows):
            yield data.slice(first, rows)


class StreamFiles:
    """The files of one stream, of which `there` exist. `add` takes committed facts in order, `publish` shows files."""

    def __init__(
        self, stream: Stream, layout: Layout, rolling: Rolling, begin: Callable[[Path], Writer], there: int = 0
    ) -> None:
        self.stream = stream
        self._layout = layout
        self._rolling = rolling
        self._begin = begin
        self._buffer: list[pa.RecordBatch] = []
        self._bucket: tuple[int, int] | None = None
        self._number = there
        self._open: _OpenFile | None = None
        self._sealed: list[tuple[Path, Path, File]] = []
        self.buffered = 0

    def add(self, batch: Batch) -> None:
        """Take facts, encoding and sealing as it becomes due."""
        for bucket, part in self._rolling.cut(batch):
            if bucket != self._bucket:
                self.seal()
                self._bucket = bucket
            for piece in self._rolling.pieces(part):
                self._buffer.append(piece)
                self.buffered += piece.nbytes
                if self.buffered >= self._rolling.piece:
                    self.encode()

    def encode(self) -> None:
        """Write what is gathered into the open file, and seal that if it has become large enough."""
        if not self._buffer:
            return
        opened = self._open or self._next()
        opened.write(self._buffer)
        self._buffer, self.buffered = [], 0
        if opened.writer.size() >= self._rolling.size:
            self.seal()

    def seal(self) -> None:
        """Finish the open file, if any."""
        self.encode()
        if self._open:
            opened = self._open
            self._sealed.append((opened.hidden, opened.path, opened.seal(self._layout.root)))
            self._open = None  # not before: what cannot be sealed is discarded

    def finish(self) -> None:
        """Seal, after the last fact. A stream without facts gets one empty file, so that readers find its columns."""
        if not self._number and not self._buffer and not self._rolling.by_date:
            self._bucket = (0, 0)
            self._next().write([])
        self.seal()

    def publish(self) -> list[File]:
        """Rename sealed files to their visible names; what they are goes into the manifest."""
        published, self._sealed = self._sealed, []
        for hidden, path, _ in published:
            hidden.replace(path)
        for folder in {path.parent for _, path, _ in published}:
            _sync(folder)
        return [file for _, _, file in published]

    def discard(self) -> None:
        """Remove what is not published, and forget what is not written."""
        self._buffer = []
        hidden = [place for place, _, _ in self._sealed]
        if self._open:
            hidden.append(self._open.hidden)
            with suppress(Exception):
                self._open.writer.close()
        self._open, self._sealed = None, []
        for place in hidden:
            place.unlink(missing_ok=True)

    def _next(self) -> _OpenFile:
        self._number += 1
        path = self._layout.file(self.stream.name, self._partition(), self._number)
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        self._open = _OpenFile(path, hidden, self._begin(hidden), self.stream.schema)
        return self._open

    def _partition(self) -> str:
        assert self._bucket is not None
        return f"date={instant(self._bucket[0] * DAY)[:10]}" if self._rolling.by_date else ""


class _OpenFile:
    def __init__(self, path: Path, hidden: Path, writer: Writer, schema: pa.Schema) -> None:
        self.path = path
        self.hidden = hidden
        self.writer = writer
        self._schema = schema
        self._facts = 0
        self._times: list[int] = []

    def write(self, batches: list[pa.RecordBatch]) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(batches, self._schema)
        self.writer.write(table)
        self._facts += len(table)
        times = [event_times(batch) for batch in batches]
        # Facts that arrive late stand behind others, so the first row need not be the earliest.
        ends = [*self._times, *(int(own.min()) for own in times), *(int(own.max()) for own in times)]
        self._times = [min(ends), max(ends)] if ends else []

    def seal(self, root: Path) -> File:
        self.writer.close()
        with self.hidden.open("rb") as written:
            os.fsync(written.fileno())
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        size = self.hidden.stat().st_size
        place = self.path.relative_to(root).as_posix()
        ends = (instant(min(self._times)), instant(max(self._times))) if self._times else (None, None)
        return File(place, self._facts, size, digest, *ends)


def _sync(folder: Path) -> None:
    # The new name is safe only when the folder is. Not every system can open a folder.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
