"""Recordings for tests: what datagen writes, files of anybody, and what comes out when they are played."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from sim.delivery.replay.folder import open_folder
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.playing import Play, Player
from sim.delivery.windows import windows
from sinks import open_sink
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

STREAMS = (simple_stream(), typed_stream())


def record(folder, sizes=(50, 0, 700, 3), options="", streams=STREAMS):
    """Windows of two streams, written by the Parquet sink; gives the batches."""
    sink = open_sink(f"parquet:{folder}{options}")
    sink.open(streams, sample_run(START + len(sizes) * SPAN))
    batches = []
    for number, rows in enumerate(sizes):
        own = [sample_batch(stream, rows, sum(sizes[:number]), START + number * SPAN) for stream in streams]
        for batch in own:
            sink.write(batch)
        sink.commit(START + (number + 1) * SPAN)
        batches += own
    sink.close()
    return batches


def write(path, times, group=100, **columns):
    """A Parquet file that is not datagen's, with timestamps in a column `ts`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"ts": pa.array(np.asarray(times, np.int64), pa.timestamp("us", "UTC")), **columns})
    parquet.write_table(table, path, row_group_size=group)


def play(location, naming=None, **ways):
    """The player of what is recorded there."""
    return Player(open_folder(str(location), naming or Naming()), Play(**ways))


def tables(player):
    """All facts of a player as one table a stream, checked to be in windows that follow each other, in order."""
    rows = {stream.name: [] for stream in player.streams}
    until = player.start
    for window in windows(player.batches(), len(player.streams)):
        assert window.start == until
        until = window.until
        for batch, times in zip(window.batches, window.times, strict=True):
            assert not len(times) or window.start <= times[0] <= times[-1] < window.until
            rows[batch.stream.name].append(batch.data)
    assert until == player.end
    found = {s.name: pa.Table.from_batches(rows[s.name], s.schema) for s in player.streams}
    assert all(in_order(found[stream.name], stream.id) for stream in player.streams)
    return found


def in_order(table, id):
    places = list(zip(instants(table), table[id].to_pylist(), strict=True))
    return places == sorted(places)


def instants(table, column="event_time"):
    """The instants of a column as microseconds."""
    return table[column].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
