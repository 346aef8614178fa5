"""The options that say how facts become messages: what goes together, and what does not."""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest

from sim.batch import Batch
from sim.errors import MissingExtra, ParameterError
from sinks import open_sink
from sinks.kafka.encoding import Encoding
from sinks.kafka.headers import Headers, parse
from sinks.kafka.settings import resolve
from sinks.run import Run
from sinks.samples import SPAN, START, sample_batch, simple_stream, typed_stream
from sinks.target import Options, Target


def encoder(stream, **options):
    named = {name.replace("_", "."): value for name, value in options.items()}
    target = Target("kafka://h:1", "kafka", "h:1", named)
    run = Run("my shop", "0" * 64, 42, START, START + SPAN)
    return Encoding(Options(target), resolve(target, "")).prepare(stream, "t", run).encoder(None)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("format=avr", "option format: 'avr' is not allowed; did you mean 'avro'"),
        ("key.format=text", "option key.format: 'text' is not allowed; .*string"),
        ("envelope=cloudevent", "option envelope: 'cloudevent' is not allowed; did you mean 'cloudevents'"),
        ("subject=topics", "option subject: 'topics' is not allowed; did you mean 'topic'"),
        ("register=no", "option register: 'no' is not allowed; .*false, true"),
        ("namespace=a..b", r"namespace: 'a\.\.b' must be names joined by dots"),
        ("headers=steam", "headers=steam: 'steam' is not known; did you mean 'stream'.* write steam:VALUE"),
        ("registry=http://h:2", "registry= is given, but .* no schema; formats that do: avro, jsonschema, protobuf"),
        ("format=jsonschema", "format=jsonschema is json with registry=URL, which is missing"),
        ("key.format=jsonschema", "key.format=jsonschema is json with registry=URL, which is missing"),
        ("envelope=cloudevents&format=avro", "cloudevents cannot be written as avro; .*cloudevents-binary takes any"),
        ("envelope=debezium&format=csv", "debezium cannot be written as csv; formats: avro, json, "),
        ("format=avro&registry=http://me:s3same@h:2", "user and password belong into schema.registry.basic.auth.user"),
        ("format=avro&registry=ftp://h:2", "registry=ftp://h:2: Invalid url"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(query, message):
    with pytest.raises(ParameterError, match=message) as caught:
        open_sink(f"kafka://h:1?{query}")
    assert "s3same" not in str(caught.value)


def test_without_the_registry_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka.schema_registry", None)
    with pytest.raises(MissingExtra, match=r"a schema registry needs .*'datagen\[registry\]'"):
        open_sink("kafka://h:1?format=avro&registry=http://h:2")


def test_secrets_of_the_registry_are_in_no_representation():
    given = {"schema.registry.basic.auth.user.info": "me:s3same", "schema.registry.url": "http://h:2"}
    sink = open_sink("kafka://h:1?format=avro", given)
    assert "s3same" not in repr(vars(sink))


def test_types_are_named_after_the_scenario():
    plain, around = (
        encoder(simple_stream("page_view"), format="avro", envelope=name)._values.versions[0].format.full_name
        for name in ("plain", "debezium")
    )
    assert plain == "datagen.my_shop.PageView"
    assert around == "datagen.my_shop.page_view.Envelope"


def test_keys_are_text_json_or_avro():
    batch = sample_batch(simple_stream(), 8)
    made = {form: encoder(batch.stream, key_format=form).encode(batch)[0] for form in ("string", "json", "avro")}
    found = {form: messages.listed().keys[3] for form, messages in made.items()}
    assert found == {"string": b"3", "json": b'{"customer_id":3}', "avro": b"\x06"}


@pytest.mark.parametrize("form", ["string", "json", "csv", "avro", "protobuf"])
def test_a_key_that_is_null_is_no_key(form):
    batch = sample_batch(simple_stream(), 8)
    names = [None, *batch.data.column("customer_id").to_pylist()[1:]]
    data = batch.data.set_column(2, "customer_id", pa.array(names))
    (whole,), (made,) = (
        encoder(batch.stream, key_format=form).encode(Batch(batch.stream, one, batch.start, batch.until))
        for one in (batch.data, data)
    )
    assert made.listed().keys == [None, *whole.listed().keys[1:]]


def test_headers_are_the_same_for_all_or_one_for_each():
    batch = sample_batch(typed_stream(), 3)
    assert Headers({}).of(batch.data) is None
    assert list(Headers({"a": b"1"}).of(batch.data)) == [[("a", b"1")]] * 3
    made = encoder(batch.stream, headers="id,scenario,x:y:z").encode(batch)[0].listed()
    assert list(made.headers)[2] == made.headers.at(2) == [("scenario", b"my shop"), ("x", b"y:z"), ("id", b"2")]
    assert list(made.headers.part(1, 9)) == list(made.headers)[1:]


def test_the_instant_at_which_a_fact_is_due_is_a_header_of_paced_runs():
    batch = sample_batch(simple_stream(), 3)
    made = encoder(batch.stream, headers="due,stream")
    due = np.array([10, 20, 35]) + START
    rows = made.in_order(batch.data, due).listed().headers
    assert [dict(pairs)["due"] for pairs in rows] == [b"%d" % at for at in due]
    assert list(made.in_order(batch.data).headers) == [[("stream", b"visit")]] * 3
    assert dict(encoder(batch.stream, headers="due:now").in_order(batch.data).headers.at(0)) == {"due": b"now"}


def test_headers_with_a_value_need_not_be_known():
    assert parse("stream,team:blue,empty:") == {"stream": "", "team": "blue", "empty": ""}


def test_grouping_by_partition_keeps_value_key_and_header_together():
    from sinks.kafka.partitions import Partitions

    batch = sample_batch(simple_stream(), 200)
    made = encoder(batch.stream, headers="id")
    made._partitions = Partitions(3)
    groups = made.encode(batch)
    assert [group.partition for group in groups] == [0, 1, 2]
    for group in (group.listed() for group in groups):
        facts = [json.loads(value) for value in group.values]
        assert [str(fact["visit_id"]).encode() for fact in facts] == [dict(pairs)["id"] for pairs in group.headers]
        assert [str(fact["customer_id"]).encode() for fact in facts] == group.keys
