"""Avro, read back by an independent decoder."""

import io
import json
import struct
import sys
from datetime import timedelta
from decimal import Decimal

import fastavro
import pyarrow as pa
import pytest
from arrow_rows import LEAVES, RARE, batches, same
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.batch import TIME, TIME_TYPE, Stream
from sim.errors import MissingExtra
from sinks.formats import find
from sinks.formats.avro import Avro, tell_slow
from sinks.formats.normal import legal
from sinks.samples import sample_batch, simple_stream, typed_stream


def stream_of(data, name="s"):
    return Stream(name, data.schema, "id", "id")


def decode(form, messages):
    schema = fastavro.parse_schema(json.loads(form.schema))
    inputs = [io.BytesIO(message) for message in messages]
    found = [fastavro.schemaless_reader(one, schema) for one in inputs]
    assert not any(one.read() for one in inputs), "bytes are left over"
    return found


def expected(value):
    """A value of Arrow as Avro gives it back: spans as microseconds, names made legal."""
    match value:
        case dict():
            return {legal(name): expected(part) for name, part in value.items()}
        case list():
            return [expected(part) for part in value]
        case timedelta():
            return value // timedelta(microseconds=1)
    return value


def assert_reads_back(data):
    form = Avro(stream_of(data))
    found = decode(form, form.encode(data))
    assert same(found, [expected(row) for row in data.to_pylist()])


@settings(deadline=None, max_examples=150, derandomize=True)
@given(batches(LEAVES))
def test_whatever_is_encoded_in_bulk_reads_back(data):
    assert_reads_back(data)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(batches(LEAVES | RARE))
def test_bytes_and_decimals_read_back_too(data):
    assert_reads_back(data)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(data=batches({kind: values for kind, values in LEAVES.items() if kind != pa.uint64()}))
def test_both_encoders_write_the_same_bytes(data):
    bulk = Avro(stream_of(data)).encode(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyruhvro", None)
        assert Avro(stream_of(data)).encode(data) == bulk


@pytest.mark.parametrize("nulls", [False, True])
def test_the_samples_read_back(nulls):
    batch = sample_batch(typed_stream(), 50, nulls=nulls)
    assert_reads_back(batch.data.slice(7, 20))


def test_the_id_and_the_event_time_are_never_null_and_the_rest_defaults_to_null():
    schema = json.loads(Avro(simple_stream()).schema)
    types = {field["name"]: field["type"] for field in schema["fields"]}
    assert types["visit_id"] == "long"
    assert types[TIME] == {"type": "long", "logicalType": "timestamp-micros"}
    assert types["page"] == ["null", "string"]
    assert all(field["default"] is None for field in schema["fields"] if isinstance(field["type"], list))


def test_descriptions_and_logical_types_are_in_the_schema():
    fields = [pa.field("at", TIME_TYPE, metadata={"description": "when"})]
    fields += [pa.field("key", pa.string(), metadata={"logical": "uuid"}), pa.field("price", pa.decimal128(9, 2))]
    stream = Stream("card_use", pa.schema(fields), "at", "key", description="Uses of cards.")
    schema = json.loads(Avro(stream, "bank").schema)
    assert (schema["namespace"], schema["name"], schema["doc"]) == ("bank", "CardUse", "Uses of cards.")
    assert schema["fields"][0] == {
        "name": "at",
        "type": {"type": "long", "logicalType": "timestamp-micros"},
        "doc": "when",
    }
    assert schema["fields"][1]["type"][1] == {"type": "string", "logicalType": "uuid"}
    assert schema["fields"][2]["type"][1] == {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}


def test_records_inside_records_have_names_of_their_own():
    inner = pa.struct([("a", pa.struct([("a", pa.int64())]))])
    lower, upper = (pa.array([{"a": {"a": number}}, None], inner) for number in (1, 2))
    assert_reads_back(pa.record_batch({"a": lower, "A": upper}))


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**31 - 1))
def test_the_header_is_the_wire_format_of_confluent(number):
    batch = sample_batch(simple_stream(), 3)
    form = Avro(batch.stream)
    bare = form.encode(batch.data)
    form.header = form.framing(number)
    assert form.encode(batch.data) == [struct.pack(">bI", 0, number) + message for message in bare]


def test_without_the_bulk_encoder_it_says_so_and_goes_on(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    tell_slow.cache_clear()
    assert_reads_back(sample_batch(simple_stream(), 5).data)
    assert "pyruhvro is not installed" in caplog.text


def test_without_any_encoder_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(MissingExtra, match=r"the format avro needs .* pip install 'datagen\[avro\]'"):
        find("avro")(simple_stream())


def test_unsigned_numbers_of_64_bits_are_decimals():
    data = pa.record_batch({"n": pa.array([2**64 - 1, None], pa.uint64())})
    form = Avro(stream_of(data))
    assert decode(form, form.encode(data)) == [{"n": Decimal(2**64 - 1)}, {"n": None}]
