"""What sinks that write files have in common: a folder a stream, rolled files, a manifest, and nothing half-written.

A window's batches wait for its commit before they are encoded, so that a file, which cannot be shortened, never
holds facts that are not committed. Memory is a window, and some tens of megabytes a stream.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sim.errors import ParameterError, SinkError
from sinks.contract import Sink
from sinks.run import Past, Report, Run
from sinks.target import Options, Target

if TYPE_CHECKING:
    from sim.batch import Batch, Stream
    from sinks.layout import Layout
    from sinks.manifest import Manifest
    from sinks.rolling import StreamFiles, Writer

BUFFERED = 256 * 2**20
"""Bytes of Arrow data that all streams together may hold back before the largest is encoded."""

PIECE = 64 * 2**20
"""Bytes of Arrow data that are encoded together; in Parquet a row group, of about a million rows."""


class FileSink(Sink):
    """Writes files below a folder; subclasses say how one file is written.

    Options: `mode=overwrite` replaces datagen's earlier output in the folder, `partition=date` puts the files of each
    day (UTC) into a folder `date=YYYY-MM-DD`, `roll_size` and `roll_time` say when a file ends.
    """

    durable = True
    guarantee = "exactly once; committed windows in finished files, which outlive the process"
    resumable = True
    growth: ClassVar[int] = 1
    """How much larger facts may become in this format than they are in Arrow."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        options = Options(target)
        if not target.location:
            raise ParameterError(f"{target.url}: a folder is needed, as in '{self.scheme}:out'")
        self._overwrite = options.choice("mode", ("overwrite",), "") == "overwrite"
        self._by_date = options.choice("partition", ("date",), "") == "date"
        self._size = options.size("roll_size", 128_000_000)
        self._span = options.span("roll_time")
        self._options(options)
        options.finish()
        self._pending: dict[str, list[Batch]] = {}
        self._files: dict[str, StreamFiles] = {}

    def _options(self, options: Options) -> None:
        """Read further options."""

    @abstractmethod
    def _begin(self, path: Path, stream: Stream) -> Writer:
        """Begin a file of `stream` at `path`."""

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        from sinks.layout import Layout
        from sinks.manifest import Manifest

        self._layout: Layout = Layout(Path(self.target.location), self.scheme, run)
        self._manifest: Manifest = Manifest.of(self.scheme, run, streams)
        if not (self.resuming and self._take_up()):
            self._layout.claim(self._overwrite, [stream.name for stream in streams])
        self._listed = self._published = sum(map(len, self._manifest.files.values()))
        with self._guarded():
            self._manifest.save(self._layout.manifest)
            self._layout.tell()
        self._files = {stream.name: self._stream_files(stream) for stream in streams}
        self._pending = {stream.name: [] for stream in streams}

    def last_run(self, scenario: str) -> Past | None:
        """What the manifests in the folder say, those of other shards included."""
        from sinks.layout import manifests
        from sinks.manifest import past

        found = (document for document in manifests(Path(self.target.location)) if document["scenario"] == scenario)
        return next(map(past, found), None)

    def _stream_files(self, stream: Stream) -> StreamFiles:
        from sinks.rolling import Rolling, StreamFiles

        rolling = Rolling(self._size, min(PIECE, max(1, self._size // self.growth)), self._span, self._by_date)
        there = len(self._manifest.files[stream.name])
        return StreamFiles(stream, self._layout, rolling, lambda path: self._begin(path, stream), there)

    def _take_up(self) -> bool:
        """Go on with what this shard has left behind, if it has; what it had not listed yet is made anew."""
        with self._guarded():
            if not self._layout.resume(self._manifest):
                return False
        self.resumed = {name: sum(file.facts for file in files) for name, files in self._manifest.files.items()}
        return True

    def _write(self, batch: Batch) -> None:
        self._pending[batch.stream.name].append(batch)

    def _commit(self, watermark: int) -> None:
        with self._guarded():
            for name, batches in self._pending.items():
                for batch in batches:
                    self._files[name].add(batch)
                batches.clear()
            self._relieve()
            self._publish(watermark)

    def _relieve(self) -> None:
        largest = sorted(self._files.values(), key=lambda files: files.buffered, reverse=True)
        held = sum(files.buffered for files in largest)
        for files in largest:
            if held <= BUFFERED:
                return
            held -= files.buffered
            files.encode()

    def _publish(self, watermark: int | None) -> None:
        from sinks.manifest import instant

        for name, files in self._files.items():
            published = files.publish()
            self._manifest.add(name, published)
            self._published += len(published)
        self._manifest.until = None if watermark is None else instant(watermark)
        # The manifest is written as a whole: where there are many files, not for each of them.
        if self._published - self._listed > self._listed // 16:
            self._save()

    def _settle(self) -> None:
        with self._guarded():
            for files in self._files.values():
                files.seal()
            self._publish(self.watermark)
            self._save()

    def _save(self) -> None:
        self._manifest.save(self._layout.manifest)
        self._listed = self._published

    def _close(self, sound: bool) -> Report:
        with self._guarded():
            if sound:
                self._finish()
            elif self._files:
                self._abandon()
        files = self._manifest.files if self._files else {}
        facts = {name: sum(file.facts for file in files.get(name, ())) for name in self.committed}
        count = sum(map(len, files.values()))
        size = sum(file.bytes for own in files.values() for file in own)
        return Report(facts, size, count, acknowledged=sum(facts.values()), until=self.watermark)

    def _finish(self) -> None:
        try:
            for files in self._files.values():
                files.finish()
        except BaseException:
            self._abandon()
            raise
        assert self.run is not None
        self._manifest.complete = self.watermark is not None and self.watermark >= self.run.end
        self._publish(self.watermark)
        self._save()

    def _abandon(self) -> None:
        for files in self._files.values():
            files.discard()
        self._save()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.target.url}: {error.filename or ''}: {error.strerror or error}") from error
        except pa.ArrowException as error:
            raise SinkError(f"{self.target.url}: {error}") from error
