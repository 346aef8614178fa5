"""Every built-in sink passes the suite that is offered to authors of sinks; a broken one does not."""

import csv
import io
import itertools
import json
import sys

import fastavro
import pyarrow.parquet as pq
import pytest

from sinks import open_sink
from sinks.conformance import CHECKS, check_sink
from sinks.null import Null
from sinks.run import Report
from sinks.target import Target

named = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


def places(tmp_path, url):
    numbers = itertools.count()
    return lambda: open_sink(url.format(tmp_path / f"out{next(numbers)}"))


def read_parquet(sink):
    return {stream.name: _pairs(stream, _parquet_rows(sink, stream)) for stream in sink.streams}


def read_csv(sink):
    return {stream.name: _pairs(stream, _csv_rows(sink, stream)) for stream in sink.streams}


def _files(sink, stream):
    yield from sorted((sink._layout.root / stream.name).rglob(f"part-*.{sink.scheme}"))


def _parquet_rows(sink, stream):
    for path in _files(sink, stream):
        yield from pq.ParquetFile(path).read(columns=[stream.key, stream.id]).to_pylist()


def _csv_rows(sink, stream):
    for path in _files(sink, stream):
        with path.open(newline="", encoding="utf-8") as lines:
            yield from csv.DictReader(lines)


def _pairs(stream, rows):
    return [(int(row[stream.key]), int(row[stream.id])) for row in rows]


@named
def test_null_conforms(check):
    check(lambda: open_sink("null:"), None)


@named
@pytest.mark.parametrize("options", ["", "?partition=date&roll_time=3s", "?roll_size=2KB&compression=none"])
def test_parquet_conforms(check, options, tmp_path):
    check(places(tmp_path, "parquet:{}" + options), read_parquet)


@named
@pytest.mark.parametrize("options", ["", "?partition=date", "?roll_size=1KB"])
def test_csv_conforms(check, options, tmp_path):
    check(places(tmp_path, "csv:{}" + options), read_csv)


def read_avro(sink):
    return {stream.name: _pairs(stream, _avro_rows(sink, stream)) for stream in sink.streams}


def _avro_rows(sink, stream):
    for path in _files(sink, stream):
        with path.open("rb") as file:
            yield from fastavro.reader(file)


@named
@pytest.mark.parametrize("options", ["", "?partition=date&compression=zstd", "?roll_size=2KB&compression=none"])
def test_avro_conforms(check, options, tmp_path):
    check(places(tmp_path, "avro:{}" + options), read_avro)


class Printed:
    """What was printed by a sink, which a new one starts anew."""

    def __init__(self, monkeypatch, url):
        self._url, self._monkeypatch = url, monkeypatch

    def factory(self):
        self.output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        self._monkeypatch.setattr(sys, "stdout", self.output)
        return open_sink(self._url)

    def text(self):
        return self.output.buffer.getvalue().decode()

    def json(self, sink):
        return self._streams(sink, [json.loads(line) for line in self.text().splitlines()])

    def csv(self, sink):
        return self._streams(sink, list(csv.DictReader(io.StringIO(self.text(), newline=""))))

    def _streams(self, sink, rows):
        return {s.name: _pairs(s, [row for row in rows if row["stream"] == s.name]) for s in sink.streams}


@named
def test_stdout_conforms(check, monkeypatch):
    printed = Printed(monkeypatch, "stdout:")
    check(printed.factory, printed.json)


@named
def test_stdout_csv_conforms(check, monkeypatch):
    printed = Printed(monkeypatch, "stdout:?format=csv")
    check(printed.factory, printed.csv)


class Forgetful(Null):
    """Loses a fact, and does not say so."""

    def _close(self, sound):
        return Report({name: max(count - 1, 0) for name, count in self.committed.items()})


def test_a_sink_that_loses_a_fact_does_not_conform():
    with pytest.raises(AssertionError, match="the report counts"):
        check_sink(lambda: Forgetful(Target.parse("null:")))


def test_a_sink_whose_facts_do_not_come_back_does_not_conform():
    with pytest.raises(AssertionError, match="0 facts come back of 54"):
        check_sink(lambda: open_sink("null:"), lambda sink: {})
