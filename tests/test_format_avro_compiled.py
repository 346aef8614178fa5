"""Avro by compiled code: the same bytes as the libraries write."""

import io

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from arrow_rows import LEAVES, array, columns
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.batch import Stream
from sinks import open_sink
from sinks.formats import avro_kernel as kernel
from sinks.formats import loading
from sinks.formats.avro import Avro
from sinks.formats.avro_records import Records, is_single
from sinks.formats.buffers import SHORT
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

EDGES = [0, -1, 63, 64, -64, -65, *(sign * 2**bits + by for bits in range(6, 63) for sign in (1, -1) for by in (-1, 0))]
ENDS = [2**63 - 1, -(2**63), 2**55, -(2**55), 2**55 - 1, -(2**55) - 1]
LENGTHS = [*range(20), 31, 32, 63, 64, 65, 127, 128, 300]
TEXTS = {pa.binary(): st.binary(max_size=20), pa.large_binary(): st.binary(max_size=20)}
SINGLE = {kind: items for kind, items in LEAVES.items() if kind != pa.uint64()} | TEXTS


def with_kernel(monkeypatch, found):
    known = loading.Loading("", 0, 0)
    known.kernel, known._wanted = found, False
    monkeypatch.setattr(loading, "AVRO", known)


def stream_of(data):
    return Stream("s", data.schema, "id", "id")


def written(data, header=b""):
    return Records(kernel, Avro(stream_of(data))._wire.columns).written(data, header)


def assert_same_bytes(data):
    form = Avro(stream_of(data))
    for header in (b"", form.framing(70_000), bytes(range(23))):
        form.header = header
        found = written(data, header)
        found.validate(full=True)
        assert found.equals(form.values(data))


@settings(max_examples=150)
@given(columns(SINGLE))
def test_whatever_is_written_is_what_the_libraries_write(data):
    assert_same_bytes(data)


@pytest.mark.parametrize("kind", [pa.int64(), pa.timestamp("us", "UTC"), pa.duration("us")])
def test_every_length_of_a_number_is_written(kind):
    assert_same_bytes(pa.record_batch({"n": pa.array([*EDGES, *ENDS], pa.int64()).cast(kind)}))


def test_numbers_of_any_size_are_those_of_an_independent_reader():
    drawn = np.random.default_rng(5).integers(0, 2**64, 5000, np.uint64) >> np.arange(5000, dtype=np.uint64) % 64
    data = pa.record_batch({"n": pa.array(drawn.view(np.int64))})
    joined = b"".join(written(data).to_pylist())
    file = io.BytesIO(joined)
    read = [fastavro.schemaless_reader(file, ["null", "long"]) for _ in range(5000)]
    assert read == drawn.view(np.int64).tolist()


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_texts_of_every_length_are_written(kind):
    made = pa.array(["äb" * (length // 3) + "x" * (length % 3) for length in LENGTHS])
    column = made.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else made.cast(kind)
    assert_same_bytes(pa.record_batch({"t": column, "u": column}))
    assert_same_bytes(pa.record_batch({"t": column}).slice(3, 9))


@pytest.mark.parametrize("width", [SHORT, SHORT + 1])
def test_texts_that_repeat_are_written_whatever_they_are(width):
    texts = pa.array(["", "a", None, "ü" * (width // 2), "b" * width])
    places = pa.array([4, None, 3, 2, 1, 0, 4, 4, None, 2, 0], pa.int16())
    column = pa.DictionaryArray.from_arrays(places, texts)
    assert_same_bytes(pa.record_batch({"t": column, "n": pa.array(range(11))}).slice(1, 9))


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        (pa.int64(), -(2**63)),
        (pa.int32(), -(2**31)),
        (pa.float64(), 1.5),
        (pa.float32(), 1.5),
        (pa.bool_(), True),
        (pa.string(), "ü" * 100),
        (pa.large_binary(), b"x" * 9000),
        (pa.dictionary(pa.int32(), pa.string()), "x" * SHORT),
    ],
    ids=str,
)
def test_there_is_room_for_the_longest_of_everything(kind, longest):
    data = pa.record_batch({"x": array([longest] * 50, kind)})
    records = Records(kernel, Avro(stream_of(data))._wire.columns)
    room = records._fields[0].column(data.column(0)).room
    assert sum(map(len, records.written(data, b"").to_pylist())) <= room


def test_dictionaries_may_change_from_batch_to_batch():
    batches = [
        pa.record_batch({"t": pa.array([*words, *words]).dictionary_encode()})
        for words in (["a", "b"], ["b", "a"], ["c"], ["a", "b"])
    ]
    records = Records(kernel, Avro(stream_of(batches[0]))._wire.columns)
    for data in [*batches, batches[-1]]:
        assert records.written(data, b"").equals(Avro(stream_of(data)).values(data))


def test_a_dictionary_without_any_text_is_nulls():
    column = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int32()), pa.array([], pa.string()))
    assert written(pa.record_batch({"t": column})).to_pylist() == [b"\0", b"\0"]


def test_a_value_that_must_not_be_missing_is_left_to_the_libraries():
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("t", pa.string())])
    whole, holed = ([[1, 2], ["a", None]], [[1, None], ["a", "b"]])
    columns = Avro(Stream("s", schema, "n", "n"))._wire.columns
    found = [Records(kernel, columns).written(pa.record_batch(own, ["n", "t"]), b"") for own in (whole, holed)]
    assert found[0].to_pylist() == [b"\2\2\2a", b"\4\0"]
    assert found[1] is None


def test_records_with_decimals_and_records_inside_are_not_for_compiled_code():
    assert is_single(Avro(simple_stream())._wire.columns)
    assert not is_single(Avro(typed_stream())._wire.columns)


def test_such_records_are_written_by_the_libraries_although_compiled_code_is_there(monkeypatch):
    batch = sample_batch(typed_stream(), 100)
    before = Avro(typed_stream()).values(batch.data)
    with_kernel(monkeypatch, kernel)
    assert Avro(typed_stream()).values(batch.data).equals(before)


def test_one_long_text_does_not_make_room_for_as_many_of_it_as_there_are_facts():
    column = pa.array(["a"] * 999 + ["x" * 5000]).dictionary_encode()
    records = Records(kernel, Avro(stream_of(pa.record_batch({"t": column})))._wire.columns)
    assert records._fields[0].column(column).room < 5000 + 1000 * 16


def test_files_have_the_same_bytes_either_way(tmp_path, monkeypatch):
    for name, found in (("without", None), ("with", kernel)):
        with_kernel(monkeypatch, found)
        sink = open_sink(f"avro:{tmp_path / name}")
        sink.open([simple_stream()], sample_run())
        sink.write(sample_batch(simple_stream(), 9000))
        sink.commit(START + SPAN)
        sink.close()
    first, second = (next((tmp_path / name).rglob("*.avro")).read_bytes() for name in ("without", "with"))
    assert first == second
