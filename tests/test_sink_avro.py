"""Avro container files, read back by an independent reader."""

import io
import sys

import fastavro
import pytest

from sim.errors import MissingExtra, ParameterError
from sinks import open_sink
from sinks.avro import ROWS, _number
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream


def write(url, stream, rows):
    sink = open_sink(url)
    sink.open([stream], sample_run())
    sink.write(sample_batch(stream, rows))
    sink.commit(START + SPAN)
    return sink.close()


def blocks(folder):
    for path in sorted(folder.rglob("*.avro")):
        with path.open("rb") as file:
            yield from fastavro.block_reader(file)


@pytest.mark.parametrize("codec", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("stream", [simple_stream(), typed_stream()], ids=["bulk", "record by record"])
def test_facts_read_back_block_by_block(codec, stream, tmp_path):
    report = write(f"avro:{tmp_path}?compression={codec}", stream, ROWS + 10)
    assert report.facts == {stream.name: ROWS + 10}
    found = list(blocks(tmp_path))
    assert [block.num_records for block in found] == [ROWS, 10]
    rows = [row for block in found for row in block]
    batch = sample_batch(stream, ROWS + 10)
    for name in ("event_time", stream.id, stream.key):
        assert [row[name] for row in rows] == batch.data.column(name).to_pylist()


def test_the_header_has_the_schema_with_the_scenario_s_namespace(tmp_path):
    write(f"avro:{tmp_path / 'a'}", simple_stream(), 3)
    write(f"avro:{tmp_path / 'b'}?namespace=com.example", simple_stream(), 3)
    names = [block.writer_schema["name"] for folder in ("a", "b") for block in blocks(tmp_path / folder)]
    assert names == ["datagen.sample.Visit", "com.example.Visit"]


def test_a_stream_without_facts_has_a_file_with_a_schema(tmp_path):
    write(f"avro:{tmp_path}", simple_stream(), 0)
    (path,) = tmp_path.rglob("*.avro")
    with path.open("rb") as file:
        assert list(fastavro.reader(file)) == []


def test_the_same_facts_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(f"avro:{tmp_path / name}", simple_stream(), 100)
    first, second = (next((tmp_path / name).rglob("*.avro")).read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("number", [0, 1, 63, 64, 8191, 8192, 2**31, 2**62])
def test_numbers_are_written_as_the_reader_reads_them(number):
    assert fastavro.schemaless_reader(io.BytesIO(_number(number)), "long") == number


def test_without_an_encoder_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(MissingExtra, match=r"datagen\[avro\]"):
        write(f"avro:{tmp_path}", simple_stream(), 1)


@pytest.mark.parametrize(
    ("query", "message"),
    [("namespace=a..b", r"namespace: 'a\.\.b' must be"), ("compression=snappy", "option compression: 'snappy' is not")],
)
def test_wrong_options_are_refused(query, message):
    with pytest.raises(ParameterError, match=message):
        open_sink(f"avro:out?{query}")
