"""stdout: one sequence in the total order, and a quiet end where nobody reads on."""

import io
import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sim.errors import ParameterError
from sinks import open_sink
from sinks.contract import Closed
from sinks.merge import slices
from sinks.samples import START, sample_batch, sample_run, simple_stream


def stream(name, rank, more=()):
    fields = [(TIME, TIME_TYPE), ("id", pa.int64()), *more]
    return Stream(name, pa.schema(fields), "id", "id", rank)


def batch(kind, times, **columns):
    arrays = {TIME: pa.array(times, TIME_TYPE), "id": pa.array(range(len(times)), pa.int64()), **columns}
    return Batch(kind, pa.record_batch(arrays), 0, 10**12)


def printed(monkeypatch, url, *batches):
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    monkeypatch.setattr(sys, "stdout", output)
    sink = open_sink(url)
    sink.open([part.stream for part in batches], sample_run())
    for part in batches:
        sink.write(part)
    sink.commit(10**12)
    sink.close()
    return output.buffer.getvalue().decode()


def test_streams_are_interleaved_in_the_total_order(monkeypatch):
    first, second = batch(stream("a", 0), [5, 10, 10]), batch(stream("b", 1), [1, 10, 11])
    lines = [json.loads(line) for line in printed(monkeypatch, "stdout:", first, second).splitlines()]
    assert [(line["stream"], line["id"]) for line in lines] == [
        ("b", 0),
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


def test_a_line_is_the_fact_with_the_streams_name_first(monkeypatch):
    text = printed(monkeypatch, "stdout:", batch(stream("a", 0), [START]))
    assert text == '{"stream":"a","event_time":"2024-02-28T23:59:59.000000Z","id":0}\n'


@pytest.mark.parametrize("url", ["stdout:", "stdout:?format=csv"])
def test_a_column_that_is_called_stream_is_refused_before_anything_is_written(monkeypatch, url):
    with pytest.raises(ParameterError, match="order has a column 'stream'"):
        printed(monkeypatch, url, batch(stream("order", 0, [("stream", pa.string())]), [START], stream=["x"]))


def test_long_windows_keep_the_order_across_slices(monkeypatch):
    monkeypatch.setattr("sinks.merge.SLICE", 50)
    rng = np.random.default_rng(3)
    parts = [batch(stream(name, rank), np.sort(rng.integers(0, 300, 400))) for rank, name in enumerate("abc")]
    lines = [json.loads(line) for line in printed(monkeypatch, "stdout:", *parts).splitlines()]
    keys = [(line[TIME], line["stream"], line["id"]) for line in lines]
    assert keys == sorted(keys)
    assert len(keys) == 1200


@pytest.mark.parametrize("rows", [1, 7, 64, 10_000])
def test_slices_follow_each_other_in_time_and_lose_nothing(rows):
    rng = np.random.default_rng(4)
    parts = [batch(stream(name, rank), np.sort(rng.integers(0, 90, 200))) for rank, name in enumerate("ab")]
    groups = list(slices(parts, rows))
    ends = [(min(times), max(times)) for times in map(all_times, groups)]
    assert all(before[1] < after[0] for before, after in pairwise(ends))
    assert sum(len(part) for group in groups for part in group) == 400


def all_times(group):
    return [time for part in group for time in part.data.column(TIME).cast(pa.int64()).to_pylist()]


def test_csv_is_one_table_with_the_columns_of_all_streams(monkeypatch):
    first = batch(stream("a", 0, [("n", pa.int64())]), [1], n=pa.array([7]))
    second = batch(stream("b", 1, [("n", pa.string()), ("x", pa.float64())]), [0], n=pa.array(["q"]), x=pa.array([0.5]))
    assert printed(monkeypatch, "stdout:?format=csv", first, second).splitlines() == [
        "stream,event_time,id,n,x",
        "b,1970-01-01T00:00:00.000000Z,0,q,0.5",
        "a,1970-01-01T00:00:00.000001Z,0,7,",
    ]


class Gone(io.BytesIO):
    def write(self, text):
        raise BrokenPipeError


def test_a_reader_that_has_gone_is_a_signal_and_not_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Gone(), encoding="utf-8"))
    sink = open_sink("stdout:")
    visit = simple_stream()
    sink.open([visit], sample_run())
    sink.write(sample_batch(visit, 3))
    with pytest.raises(Closed):
        sink.commit(sample_run().end)
    assert sink.close().total == 0


ENDLESS = """
from sinks import Closed, open_sink
from sinks.samples import *
sink, visit = open_sink("stdout:"), simple_stream()
sink.open([visit], sample_run())
try:
    for window in range(1000):
        sink.write(sample_batch(visit, 1000, start=START + window * SPAN))
        sink.commit(START + (window + 1) * SPAN)
except Closed:
    sink.close()
"""


def test_head_ends_a_run_without_a_word():
    command = [sys.executable, "-c", ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert json.loads(process.stdout.readline())["visit_id"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
