"""Protobuf, read back by the Protobuf library from the .proto text that the format itself gives out."""

import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import grpc_tools
import pyarrow as pa
import pytest
from arrow_rows import LEAVES, RARE, batches, same
from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc
from hypothesis import given, settings

from sim.batch import TIME_TYPE, Stream
from sim.errors import MissingExtra
from sinks.formats import find
from sinks.formats import protobuf_schema as proto
from sinks.formats.normal import legal
from sinks.formats.protobuf import Protobuf
from sinks.samples import sample_batch, simple_stream, typed_stream

KNOWN = Path(grpc_tools.__file__).parent / "_proto"
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


def stream_of(data, name="s"):
    return Stream(name, data.schema, "id", "id")


def reader(form):
    """The class of the format's messages, from its own descriptor."""
    pool = DescriptorPool()
    for known in (timestamp_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(proto.descriptor(form._message, form.namespace).SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(form.full_name))


def plain(message):
    """A message as a dict, null where it says nothing."""
    return {field.name: value(message, field) for field in message.DESCRIPTOR.fields}


def value(message, field):
    own = getattr(message, field.name)
    if field.is_repeated:
        return [single(item) for item in own]
    return single(own) if message.HasField(field.name) else None


def single(own):
    if not hasattr(own, "DESCRIPTOR"):
        return own
    known = own.DESCRIPTOR.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration")
    # Division towards 0: the nanoseconds of a negative duration are negative.
    return own.seconds * 1_000_000 + int(own.nanos / 1000) if known else plain(own)


def expected(own, kind):
    """A value of Arrow as Protobuf gives it back."""
    if pa.types.is_list(kind):
        items = [expected(item, kind.value_type) for item in own or [] if item is not None]
        return [{"values": item} for item in items] if pa.types.is_list(kind.value_type) else items
    if own is None:
        return None
    if pa.types.is_struct(kind):
        return {legal(part.name): expected(own[part.name], part.type) for part in kind}
    return text(own, kind)


def text(own, kind):
    match own:
        case datetime():
            return (own.replace(tzinfo=None) - EPOCH) // MICROSECOND
        case timedelta():
            return own // MICROSECOND
        case date():
            return own.isoformat()
        case time():
            return own.isoformat("microseconds")
        case Decimal():
            return str(own)
    return str(own) if kind == pa.uint64() else own


def assert_reads_back(data):
    form = Protobuf(stream_of(data))
    kind = reader(form)
    found = [plain(kind.FromString(message)) for message in form.encode(data)]
    rows = [expected(row, pa.struct(list(data.schema))) for row in data.to_pylist()]
    assert same(found, rows)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(batches(LEAVES | RARE))
def test_whatever_is_encoded_reads_back(data):
    assert_reads_back(data)


@pytest.mark.parametrize("nulls", [False, True])
def test_the_samples_read_back(nulls):
    batch = sample_batch(typed_stream(), 50, nulls=nulls)
    assert_reads_back(batch.data.slice(7, 20))


def test_lists_that_are_null_over_items_are_empty():
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 3]), pa.array([1, 2, 3]), mask=pa.array([True, False]))
    assert_reads_back(pa.record_batch({"x": lists}))


@settings(deadline=None, max_examples=25, derandomize=True)
@given(data=batches(LEAVES | RARE))
def test_the_text_says_what_the_descriptor_says(data, tmp_path_factory):
    form = Protobuf(stream_of(data, "card_use"), "shop.v_1")
    folder = tmp_path_factory.mktemp("proto")
    (folder / "a.proto").write_text(form.schema)
    command = ["", f"-I{folder}", f"-I{KNOWN}", f"--descriptor_set_out={folder / 'out'}", "a.proto"]
    assert protoc.main(command) == 0
    (compiled,) = FileDescriptorSet.FromString((folder / "out").read_bytes()).file
    for message in walk(compiled.message_type):
        for field in message.field:
            field.ClearField("json_name")
    ours = proto.descriptor(form._message, "shop.v_1")
    ours.name = compiled.name
    assert ours == compiled


def walk(messages):
    for message in messages:
        yield message
        yield from walk(message.nested_type)


def test_descriptions_are_comments():
    fields = [pa.field("at", TIME_TYPE, metadata={"description": "when,\nexactly"}), pa.field("key", pa.int64())]
    text = Protobuf(Stream("card_use", pa.schema(fields), "at", "key", description="Uses of cards."), "bank").schema
    assert "package bank;" in text
    assert "// Uses of cards.\nmessage CardUse {" in text
    assert "  // when,\n  // exactly\n  google.protobuf.Timestamp at = 1;" in text
    assert "  optional int64 key = 2;" in text


def test_the_header_is_the_wire_format_of_confluent_with_the_first_message():
    batch = sample_batch(simple_stream(), 3)
    form = Protobuf(batch.stream)
    bare = form.encode(batch.data)
    form.header = form.framing(258)
    assert form.encode(batch.data) == [b"\x00\x00\x00\x01\x02\x00" + message for message in bare]


@pytest.mark.parametrize("library", ["ptars", "google.protobuf"])
def test_without_the_libraries_the_extra_is_named(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"the format protobuf needs .* pip install 'datagen\[protobuf\]'"):
        find("protobuf")(simple_stream())
