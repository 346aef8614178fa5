"""Playing a recording: moved in time, several times over, in several copies, as the batches of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pyarrow as pa

from sim.batch import ADDED, DROPPED, TIME, Batch, Stream, event_times
from sim.delivery.merge import merge, ordered
from sim.delivery.replay.clock import holds_instants, moved
from sim.delivery.replay.reading import NUMBER
from sim.delivery.replay.recording import Recording
from sim.delivery.replay.rekeying import Rekeying, delays
from sim.delivery.windows import windows
from sim.errors import ParameterError, SimulationError

COPIES = 10_000
"""The most copies of an entity at a time."""

LAST = 253_402_300_799_999_999
"""The end of the year 9999, after which there is no text of an instant."""


@dataclass(frozen=True, slots=True)
class Play:
    """How to play a recording.

    `shift` moves all instants by so many microseconds, but for the columns `fixed`. There are so many `passes` (None:
    without end), each as long after the one before as the recording is, and in each so many `copies` of every entity,
    those beyond the first later by up to `jitter` microseconds. Every pass has ids and keys of its own, unless
    `same_keys`.
    """

    shift: int = 0
    passes: int | None = 1
    copies: int = 1
    jitter: int = 0
    same_keys: bool = False
    fixed: frozenset[str] = frozenset()
    rekeyed: frozenset[str] = frozenset()


class Player:
    """A recording with a way to play it. Raises ParameterError where the two do not go together."""

    def __init__(self, recording: Recording, play: Play) -> None:
        self.recording = recording
        self.play = play
        self.length = recording.end - recording.start
        self.start = recording.start + play.shift
        self.rekeying = rekeying(recording, play.rekeyed)
        self.streams = tuple(self._stream(stream) for stream in recording.streams)
        self._check()

    @property
    def end(self) -> int:
        """Where the last pass ends; the end of time where there is none."""
        return LAST if self.play.passes is None else self.start + self.length * self.play.passes + self.play.jitter

    def batches(self) -> Iterator[Batch]:
        """The facts in windows that follow each other from `start` to `end`, one batch a stream."""
        held = [_empty(stream) for stream in self.streams]
        until = self.start
        for number in count() if self.play.passes is None else range(self.play.passes):
            if self.start + self.length * (number + 1) > LAST or self._numbers(number + 1) > self.rekeying.copies:
                raise SimulationError(
                    f"{self.recording.name}: after {number:,} passes there are no further times or ids"
                )
            for window in windows(self.recording.batches(self.play.copies), len(self.streams)):
                late = self.play.shift + self.length * number
                until = window.until + late
                made = [
                    self._made(batch, stream, number, late)
                    for batch, stream in zip(window.batches, self.streams, strict=True)
                ]
                held, due = self._due(held, made, until)
                yield from self._batches(due, window.start + late, until)
        if self.play.jitter:
            yield from self._batches(held, until, self.end)

    def _due(
        self, held: list[pa.RecordBatch], made: list[pa.RecordBatch], until: int
    ) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
        """What is to be held back, because it was delayed beyond `until`, and what is not."""
        if not self.play.jitter:
            return held, made
        pairs = zip(held, made, self.streams, strict=True)
        both = [merge([rows for rows in (old, new) if len(rows)], stream) for old, new, stream in pairs]
        places = [int(np.searchsorted(event_times(data), until)) for data in both]
        cut = list(zip(both, places, strict=True))
        return [data.slice(place) for data, place in cut], [data.slice(0, place) for data, place in cut]

    def _batches(self, rows: Sequence[pa.RecordBatch], start: int, until: int) -> Iterator[Batch]:
        for stream, data in zip(self.streams, rows, strict=True):
            yield Batch(stream, data, start, until)

    def _made(self, batch: Batch, stream: Stream, number: int, late: int) -> pa.RecordBatch:
        """All copies of a batch, in order."""
        numbers = range(self._numbers(number), self._numbers(number) + self.play.copies)
        repeat = number if self.play.same_keys else 0
        copies = [self._copy(batch.data, stream, copy, late, repeat, copy > numbers.start) for copy in numbers]
        if len(copies) == 1:
            return copies[0]
        data = (
            pa.Table.from_batches(copies).unify_dictionaries().combine_chunks().to_batches(len(batch) * len(copies) + 1)
        )
        return _sorted(data[0], stream) if data else copies[0]

    def _copy(
        self, data: pa.RecordBatch, stream: Stream, number: int, late: int, repeat: int, delayed: bool
    ) -> pa.RecordBatch:
        by: int | np.ndarray = late
        if delayed and self.play.jitter:
            by = late + delays(data.column(stream.key), number, self.play.jitter)
        moving: Mapping[str, str] = self.recording.moving[stream.name]
        arrays = []
        for field, column in zip(stream.schema, data.columns, strict=True):
            if self.rekeying.applies(field):
                # Numbers of ours go on in every pass, whatever the keys do.
                column = self.rekeying.copy(column, number + repeat * self.play.copies * (field.name == NUMBER))
            elif field.name not in self.play.fixed:
                column = _moved(column, by, late, moving.get(field.name))
            arrays.append(column.cast(field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=stream.schema)

    def _numbers(self, number: int) -> int:
        """The number of the first copy in a pass."""
        return 0 if self.play.same_keys else number * self.play.copies

    def _stream(self, stream: Stream) -> Stream:
        """Ids and keys are as wide as copies of them need it; columns come and go at other instants."""

        def column(field: pa.Field) -> pa.Field:
            wide = self.rekeying.applies(field) and pa.types.is_integer(field.type)
            return _later(field.with_type(pa.int64()) if wide else field, self.play)

        return replace(stream, schema=pa.schema([column(field) for field in stream.schema]))

    def _check(self) -> None:
        play, name = self.play, self.recording.name
        if not 1 <= play.copies <= COPIES:
            raise ParameterError(f"--amplify {play.copies}: it must be from 1 to {COPIES:,}")
        if play.passes is not None and self.end > LAST:
            raise ParameterError(f"{name}: {play.passes:,} passes end after the year 9999")
        if play.passes is not None and self._numbers(play.passes - 1) + play.copies > self.rekeying.copies:
            copies, most = f"{play.passes * play.copies:,} copies", f"{self.rekeying.offset:,}"
            raise ParameterError(f"{name}: {copies} of ids up to {most} do not fit into 64 bits")
        if TIME in play.fixed:
            raise ParameterError(f"--fixed {TIME}: that is what is moved")
        known = {column for stream in self.streams for column in stream.schema.names}
        for option, columns in (("--fixed", play.fixed), ("--rekey", play.rekeyed)):
            for column in sorted(columns - known):
                raise ParameterError(f"{option} {column}: no stream of {name} has such a column")


def rekeying(recording: Recording, further: frozenset[str]) -> Rekeying:
    """The columns that hold ids or keys in any stream, wherever they stand, and those called so by datagen itself."""
    columns = {name for stream in recording.streams for name in (stream.id, stream.key)} | further
    if recording.own:
        names = {name for stream in recording.streams for name in stream.schema.names}
        columns |= {name for name in names if name.endswith("_id")}
    return Rekeying.above(max(recorded.largest for recorded in recording.recorded), columns)


def _later(field: pa.Field, play: Play) -> pa.Field:
    """A column that comes or goes at an instant does so later; if passes or copies differ, it is always there."""
    said = dict(field.metadata or {})
    for name in (ADDED, DROPPED):
        if name in said:
            instant = int(said.pop(name))
            if play.passes == 1 and not play.jitter:
                said[name] = str(instant + play.shift).encode()
    return field.with_metadata(said or None)


def _moved(column: pa.Array, by: int | np.ndarray, late: int, unit: str | None) -> pa.Array:
    if isinstance(by, int) and by == 0:
        return column
    inside = pa.types.is_nested(column.type) and holds_instants(column.type)
    return moved(column, late if inside else by, unit)


def _sorted(data: pa.RecordBatch, stream: Stream) -> pa.RecordBatch:
    ids = np.asarray(data.column(stream.id).to_numpy(zero_copy_only=False), np.int64)
    return data.take(pa.array(ordered(event_times(data), ids)))


def _empty(stream: Stream) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in stream.schema], schema=stream.schema)
