from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from fake_batches import RUN, STREAMS, Collector, facts, fake_batches
from hypothesis import given
from hypothesis import strategies as st

from sim.delivery.merge import LinkSink, merge, merged, ordered
from sim.delivery.pipeline import deliver
from sim.delivery.workers import Crew
from sim.errors import SimulationError, SinkError


def send_shard(job, link):
    shard, shards, count = job
    return deliver(fake_batches(count, 200, shard, shards), LinkSink(link), STREAMS, RUN, stop=link.stop)


def misbehave(job, link):
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "refuse":
        raise SinkError("disk full")
    if job == "break":
        raise ZeroDivisionError("a bug")
    while not link.stop.is_set():
        time.sleep(0.01)
    return "stopped"


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 4))
def test_a_merge_is_a_sort_by_time_then_id(times, parts):
    ids = np.random.default_rng(1).permutation(len(times))
    runs = [np.flatnonzero(np.arange(len(times)) % parts == part) for part in range(parts)]
    runs = [run[np.lexsort((ids[run], np.array(times, np.int64)[run]))] for run in runs]
    index = np.concatenate(runs).astype(np.int64)
    t, i = np.array(times, np.int64)[index], ids[index]
    assert (ordered(t, i) == np.lexsort((i, t))).all()


def test_shards_with_different_dictionaries_merge_into_the_unsharded_rows():
    whole = list(fake_batches(1))
    parts = [next(fake_batches(1, shard=shard, shards=3)).data for shard in (1, 2, 3)]
    assert merge(parts, STREAMS[0]).to_pylist() == whole[0].data.to_pylist()


def test_an_empty_stream_merges_into_an_empty_batch_of_its_schema():
    assert merge([], STREAMS[0]).schema == STREAMS[0].schema


def test_workers_merged_are_one_worker_row_for_row():
    sink = Collector()
    with Crew(send_shard, [(1, 2, 5), (2, 2, 5)]) as crew:
        outcome = deliver(merged(crew, STREAMS, threading.Event()), sink, STREAMS, RUN)
    single = list(fake_batches(5, 200))
    assert sink.rows() == facts(single)
    assert pa.Table.from_batches([b.data for b in sink.batches if b.stream.rank == 0]).to_pylist() == [
        row for b in single if b.stream.rank == 0 for row in b.data.to_pylist()
    ]
    assert outcome.total == 2000


def test_a_limit_ends_workers_that_have_more_to_send():
    with Crew(send_shard, [(1, 2, 100_000), (2, 2, 100_000)]) as crew:
        outcome = deliver(merged(crew, STREAMS, threading.Event()), Collector(), STREAMS, RUN, limit=700)
    assert outcome.total == 700
    assert not any(process.is_alive() for process in crew.processes)


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        ("die", SimulationError, "worker 2 of 2 died by signal SIGKILL"),
        ("refuse", SinkError, "disk full"),
        ("break", RuntimeError, "a bug"),
    ],
)
def test_a_worker_that_fails_is_reported_and_the_others_are_stopped(job, error, text):
    with pytest.raises(error, match=text), Crew(misbehave, ["wait", job]) as crew:
        crew.receive(1)
    assert crew.processes[0].exitcode == 0


def test_a_stopped_crew_gives_its_last_messages():
    with Crew(misbehave, ["wait"]) as crew:
        crew.stop()
        assert crew.receive(0) == "stopped"
