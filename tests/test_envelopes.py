"""Envelopes: CloudEvents and Debezium around facts."""

import io
import json
from dataclasses import replace

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from change_rows import deletions

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sinks.envelopes import ENVELOPES
from sinks.envelopes.cloudevents import CloudEvents, CloudEventsBinary
from sinks.envelopes.debezium import Debezium
from sinks.formats import find
from sinks.kafka.headers import Headers
from sinks.kafka.keys import Keys
from sinks.kafka.messages import Encoder
from sinks.kafka.partitions import Partitions
from sinks.kafka.values import Values, Version
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

SAME = ("op", "ts_ms", "source")
ROW = pa.struct([("plan", pa.string()), ("limit", pa.float64())])


def written(envelope, data, name="json"):
    form = find(name)(envelope.stream, envelope.namespace)
    return form, form.encode(envelope.wrap(data))


def wrapped(kind, batch):
    envelope = kind(batch.stream, sample_run(), "datagen.sample")
    _, messages = written(envelope, batch.data)
    return [json.loads(message) for message in messages]


def plain(batch):
    return [json.loads(message) for message in find("json")(batch.stream).encode(batch.data)]


def changes():
    """A customer that comes, changes and goes, and another that was there."""
    fields = [("customer_change_id", pa.int64()), (TIME, TIME_TYPE), ("customer_id", pa.int64())]
    fields += [("op", pa.dictionary(pa.int32(), pa.string())), ("before", ROW), ("after", ROW)]
    stream = Stream("customer_change", pa.schema(fields), "customer_change_id", "customer_id")
    first, second = {"plan": "free", "limit": 1.0}, {"plan": "pro", "limit": None}
    columns = [
        pa.array([1, 2, 3, 4]),
        pa.array([START + 1500, START + 2500, START + 3500, START + 4500], TIME_TYPE),
        pa.array([7, 7, 8, 7]),
        pa.array(["create", "update", "read", "delete"]).dictionary_encode(),
        pa.array([None, first, None, second], ROW),
        pa.array([first, second, first, None], ROW),
    ]
    return Batch(stream, pa.RecordBatch.from_arrays(columns, schema=stream.schema), START, START + SPAN)


def test_a_structured_cloud_event_holds_the_fact():
    batch = sample_batch(typed_stream(), 12)
    events = wrapped(CloudEvents, batch)
    assert [event["data"] for event in events] == plain(batch)
    first = events[0]
    assert first.pop("data")
    assert first == {
        "specversion": "1.0",
        "id": "0",
        "source": "/datagen/sample/42/thing",
        "type": "datagen.sample.thing",
        "subject": "0",
        "datacontenttype": "application/json",
        "time": "2024-02-28T23:59:59.000000Z",
    }


def test_a_structured_cloud_event_says_what_it_is_in_its_header():
    envelope = CloudEvents(simple_stream(), sample_run(), "datagen.sample")
    content = envelope.headers("application/json")["content-type"]
    assert content == b"application/cloudevents+json; charset=UTF-8"


def test_a_binary_cloud_event_is_the_fact_with_the_attributes_beside_it():
    batch = sample_batch(simple_stream(), 9)
    envelope = CloudEventsBinary(batch.stream, sample_run(), "datagen.sample")
    assert envelope.wrap(batch.data) is batch.data
    rows = Headers(envelope.headers("application/avro")).of(batch.data)
    headers = [dict(pairs) for pairs in rows.each(lambda values: values.to_pylist())]
    assert headers[8] == {
        "ce_specversion": b"1.0",
        "ce_id": b"8",
        "ce_source": b"/datagen/sample/42/visit",
        "ce_type": b"datagen.sample.visit",
        "ce_time": plain(batch)[8][TIME].encode(),
        "ce_subject": b"1",
        "content-type": b"application/avro",
    }


def test_events_of_other_seeds_and_streams_come_from_other_sources():
    runs = [sample_run(), replace(sample_run(), seed=43)]
    envelopes = [CloudEvents(simple_stream(name), run, "d") for run in runs for name in ("a", "b")]
    assert len({envelope.source for envelope in envelopes}) == 4


def test_facts_are_inserted_rows_to_debezium():
    batch = sample_batch(typed_stream(), 12)
    found = wrapped(Debezium, batch)
    assert [change["after"] for change in found] == plain(batch)
    assert {(change["op"], change["before"]) for change in found} == {("c", None)}
    assert [change["source"]["fact_id"] for change in found] == list(range(12))
    times = batch.data.column(TIME).cast(pa.int64()).to_pylist()
    assert [change["ts_ms"] for change in found] == [time // 1000 for time in times]
    assert [change["source"]["ts_us"] for change in found] == times
    source = found[0]["source"]
    assert (source["connector"], source["db"], source["table"]) == ("datagen", "sample", "thing")


def test_entities_that_are_there_at_the_start_are_a_snapshot():
    schema = pa.schema([("customer_id", pa.int64()), (TIME, TIME_TYPE), ("born_at", TIME_TYPE)])
    stream = Stream("customer", schema, "customer_id", "customer_id")
    columns = [pa.array([1, 2]), pa.array([START, START], TIME_TYPE), pa.array([START - 5, START], TIME_TYPE)]
    batch = Batch(stream, pa.RecordBatch.from_arrays(columns, schema=schema), START, START + SPAN)
    found = [(change["op"], change["source"]["snapshot"]) for change in wrapped(Debezium, batch)]
    assert found == [("r", "true"), ("c", "false")]


def test_changes_say_themselves_what_changed():
    found = wrapped(Debezium, changes())
    assert [change["op"] for change in found] == ["c", "u", "r", "d"]
    assert found[1]["before"] == {"customer_id": 7, "plan": "free", "limit": 1.0}
    assert found[1]["after"] == {"customer_id": 7, "plan": "pro", "limit": None}
    assert found[0]["before"] is None
    assert found[3]["after"] is None
    assert {change["source"]["table"] for change in found} == {"customer"}


def debezium():
    envelope = Debezium(changes().stream, sample_run(), "datagen.sample")
    values = Values([Version(0, envelope, find("json")(envelope.stream))])
    return Encoder("t", values, Keys(envelope.facts))


def test_a_deletion_is_followed_by_a_tombstone_of_its_key():
    made = debezium().encode(changes())[0].listed()
    assert made.keys == [b"7", b"7", b"8", b"7", b"7"]
    assert [value is None for value in made.values] == [False, False, False, False, True]
    assert made.timestamps[3] == made.timestamps[4]
    assert made.graves == 1


@pytest.mark.parametrize("partitions", [1, 2, 3, 5])
def test_tombstones_stay_behind_their_deletions_in_every_partition(partitions):
    batch = deletions()
    envelope = Debezium(batch.stream, sample_run(), "datagen.sample")
    values = Values([Version(0, envelope, find("json")(envelope.stream))])
    groups = Encoder("t", values, Keys(batch.stream), None, Partitions(partitions)).encode(batch)
    listed = [group.listed() for group in groups]
    rows = [row for group in listed for row in zip(group.keys, group.values, strict=True)]
    for key in range(7):
        own = [value and json.loads(value)["op"] for name, value in rows if name == b"%d" % key]
        assert own == ["c", "d", None] * 2
    assert sum(group.graves for group in groups) == 14


def test_a_fact_that_leaves_when_it_is_due_takes_its_tombstone_along():
    made = debezium().in_order(changes().data, np.arange(4)).listed()
    assert made.part(0, 2).keys == [b"7", b"7"]
    last = made.part(3, 4)
    assert (last.keys, last.values[1], last.graves) == ([b"7", b"7"], None, 1)


@pytest.mark.parametrize("batch", [changes(), sample_batch(typed_stream(), 12)], ids=["changes", "facts"])
def test_debezium_as_avro_says_the_same_as_json(batch):
    envelope = Debezium(batch.stream, sample_run(), "datagen.sample")
    form, messages = written(envelope, batch.data, "avro")
    schema = json.loads(form.schema)
    assert form.full_name == f"datagen.sample.{batch.stream.name}.Envelope"
    types = {field["name"]: field["type"] for field in schema["fields"]}
    assert types["before"][1]["name"] == "Value"
    assert types["after"][1] == f"{form.full_name}.Value"
    found = [fastavro.schemaless_reader(io.BytesIO(message), fastavro.parse_schema(schema)) for message in messages]
    for ours, theirs in zip(found, wrapped(Debezium, batch), strict=True):
        for side in ("before", "after"):
            assert (ours[side] is None) == (theirs[side] is None)
            assert plan(ours[side]) == plan(theirs[side])
        assert {name: ours[name] for name in SAME} == {name: theirs[name] for name in SAME}


def plan(row):
    return row and {name: row.get(name) for name in ("plan", "limit", "customer_id", "note")}


ALLOWED = [
    (name, form)
    for name, kind in sorted(ENVELOPES.items())
    for form in ("json", "jsonschema", "avro", "protobuf")
    if not kind.formats or form in kind.formats
]


@pytest.mark.parametrize(("name", "written_as"), ALLOWED)
@pytest.mark.parametrize("nulls", [False, True])
def test_every_envelope_takes_every_type_in_every_format_it_allows(name, written_as, nulls):
    kind = ENVELOPES[name]
    batch = sample_batch(typed_stream(), 20, nulls=nulls)
    envelope = kind(batch.stream, sample_run(), "datagen.sample")
    form, messages = written(envelope, batch.data.slice(3, 11), written_as)
    assert len(messages) == 11
    assert form.schema or written_as == "json"
