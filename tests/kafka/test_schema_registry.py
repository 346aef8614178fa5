"""Formats with schemas, against a real broker and a real registry, read back by independent deserializers."""

import base64
import io
import json
import logging
import struct
import threading

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from sim.batch import Batch, Stream
from sim.errors import ParameterError, SinkError
from sinks import open_sink
from sinks.conformance import CHECKS
from sinks.contract import Stopped
from sinks.envelopes import ENVELOPES
from sinks.formats import find
from sinks.kafka.values import Style
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream
from tests.change_rows import deletions
from tests.kafka.broker import Broker
from tests.kafka.reading import read
from tests.kafka.registry import Gate
from tests.kafka.tokens import provider

VISIT = simple_stream()
ROWS = 60


def url_of(address, prefix, registry="", **options):
    named = {name.replace("_", "."): value for name, value in options.items()}
    more = "".join(f"&{name}={value}" for name, value in (named | {"registry": registry}).items() if value)
    return f"kafka://{address}?prefix={prefix}{more}"


def send(url, stream=VISIT, given=None, rows=ROWS):
    sink = open_sink(url, given)
    try:
        sink.open([stream], sample_run())
        sink.write(sample_batch(stream, rows))
        sink.commit(START + SPAN)
    finally:
        report = sink.close()
    return report


def ids(records):
    return sorted(struct.unpack(">bI", record.value()[:5]) for record in records)


@pytest.fixture(scope="session")
def client(registry):
    return SchemaRegistryClient({"url": registry})


def test_avro_is_read_by_whoever_has_the_registry(address, registry, client, prefix):
    report = send(url_of(address, prefix, registry, format="avro"), typed_stream())
    assert report.acknowledged == ROWS
    records = read(address, f"{prefix}thing")
    known = client.get_latest_version(f"{prefix}thing-value")
    assert set(ids(records)) == {(0, known.schema_id)}
    decode = AvroDeserializer(client)
    facts = [decode(record.value(), context(record)) for record in records]
    assert sorted(fact["thing_id"] for fact in facts) == list(range(ROWS))
    assert all(int(record.key()) == fact["customer_id"] for record, fact in zip(records, facts, strict=True))


def context(record):
    return SerializationContext(record.topic(), MessageField.VALUE)


def test_json_schema_is_read_by_whoever_has_the_registry(address, registry, client, prefix):
    send(url_of(address, prefix, registry, format="jsonschema"), typed_stream())
    records = read(address, f"{prefix}thing")
    decode = JSONDeserializer(None, schema_registry_client=client)
    facts = [decode(record.value(), context(record)) for record in records]
    assert sorted(fact["thing_id"] for fact in facts) == list(range(ROWS))


def test_the_registry_keeps_the_protobuf_file_and_messages_name_it(address, registry, client, prefix):
    send(url_of(address, prefix, registry, format="protobuf"))
    records = read(address, f"{prefix}visit")
    known = client.get_latest_version(f"{prefix}visit-value")
    assert (known.schema.schema_type, known.schema.references or []) == ("PROTOBUF", [])
    assert "message Visit {" in known.schema.schema_str
    assert all(record.value()[:6] == struct.pack(">bIb", 0, known.schema_id, 0) for record in records)


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_the_same_schema_keeps_its_number(address, registry, client, prefix, form):
    for _ in range(2):
        send(url_of(address, prefix, registry, format=form))
    assert client.get_versions(f"{prefix}visit-value") == [1]
    assert len({number for _, number in ids(read(address, f"{prefix}visit"))}) == 1


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [("topic", "{}visit-value"), ("record", "datagen.sample.Visit"), ("topic-record", "{}visit-datagen.sample.Visit")],
)
def test_subjects_are_named_by_strategy(address, registry, client, prefix, strategy, subject):
    send(url_of(address, prefix, registry, format="avro", subject=strategy))
    assert client.get_latest_version(subject.format(prefix)).schema_id


def test_the_namespace_can_be_chosen(address, registry, client, prefix):
    send(url_of(address, prefix, registry, format="avro", subject="record", namespace=f"shop.{prefix}v1"))
    assert client.get_latest_version(f"shop.{prefix}v1.Visit").schema_id


def changed(kind):
    """The stream of visits with another type of page."""
    place = VISIT.schema.get_field_index("page")
    return Stream("visit", VISIT.schema.set(place, pa.field("page", kind)), VISIT.id, VISIT.key)


def added():
    return Stream("visit", VISIT.schema.append(pa.field("flag", pa.bool_())), VISIT.id, VISIT.key)


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_a_new_column_is_compatible(address, registry, client, prefix, form):
    url = url_of(address, prefix, registry, format=form)
    send(url)
    client.set_compatibility(f"{prefix}visit-value", "BACKWARD")
    send(url, added())
    assert client.get_versions(f"{prefix}visit-value") == [1, 2]


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_an_incompatible_schema_is_refused_with_the_reason_before_anything_is_sent(
    address, registry, client, prefix, form
):
    url = url_of(address, prefix, registry, format=form)
    send(url)
    client.set_compatibility(f"{prefix}visit-value", "BACKWARD")
    message = rf"subject '{prefix}visit-value': the schema is not compatible with what is registered: .*[Ii]ncompatible"
    with pytest.raises(SinkError, match=message):
        send(url, changed(pa.float64()))
    assert len(read(address, f"{prefix}visit")) == ROWS


def test_what_subjects_demand_of_new_versions_can_be_said(address, registry, client, prefix):
    url = url_of(address, prefix, registry, format="avro")
    send(f"{url}&compatibility=full-transitive")
    assert client.get_compatibility(f"{prefix}visit-value") == "FULL_TRANSITIVE"
    with pytest.raises(SinkError, match="not compatible"):
        send(url, changed(pa.float64()))
    sink = open_sink(f"{url}&compatibility=none")
    sink.open([changed(pa.float64())], sample_run())
    sink.close()
    assert client.get_versions(f"{prefix}visit-value") == [1, 2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "format=avro&registry=http://h:2&compatibility=backwards",
            "'backwards' is not allowed; did you mean 'backward'",
        ),
        (
            "format=avro&registry=http://h:2&compatibility=none&register=false",
            "is for schemas registered in a registry",
        ),
        ("format=avro&compatibility=full", "it needs registry=URL"),
    ],
)
def test_demands_that_make_no_sense_are_refused(query, message):
    with pytest.raises(ParameterError, match=message):
        open_sink(f"kafka://h:1?{query}")


def test_without_registering_a_schema_that_is_there_is_found(address, registry, prefix):
    send(url_of(address, prefix, registry, format="avro"))
    report = send(url_of(address, prefix, registry, format="avro", register="false"))
    assert report.acknowledged == ROWS


def test_without_registering_a_missing_subject_is_named_and_no_topic_is_made(address, registry, prefix, own_broker):
    with pytest.raises(SinkError) as caught:
        send(url_of(address, prefix, registry, format="avro", register="false"))
    assert f"subject '{prefix}visit-value': register=false" in str(caught.value)
    assert "it has no such subject; wanted: {" in str(caught.value)
    assert f"{prefix}visit" not in topics(address)


def topics(address):
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics


def test_without_registering_another_schema_is_shown(address, registry, prefix):
    send(url_of(address, prefix, registry, format="avro"))
    with pytest.raises(SinkError, match=r'one version, the latest, 1, is \{.*"page".*; wanted: \{.*'):
        send(url_of(address, prefix, registry, format="avro", register="false"), changed(pa.int64()))


@pytest.mark.parametrize("form", ["avro", "json", "jsonschema", "protobuf"])
def test_keys_can_be_records(address, registry, client, prefix, form):
    send(url_of(address, prefix, registry, key_format=form, format="jsonschema"))
    records = read(address, f"{prefix}visit")
    facts = [json.loads(record.value()[5:]) for record in records]
    by_key = {}
    for record, fact in zip(records, facts, strict=True):
        by_key.setdefault(record.key(), set()).add((fact["customer_id"], record.partition()))
    assert sorted(next(iter(found))[0] for found in by_key.values()) == list(range(7))
    assert all(len(found) == 1 for found in by_key.values())
    if form == "json":
        assert {json.loads(key)["customer_id"] for key in by_key} == set(range(7))
    else:
        known = client.get_latest_version(f"{prefix}visit-key")
        assert all(key[:5] == struct.pack(">bI", 0, known.schema_id) for key in by_key)


def test_without_a_registry_avro_is_bare(address, prefix):
    send(url_of(address, prefix, format="avro"))
    values = [record.value() for record in read(address, f"{prefix}visit")]
    schema = fastavro.parse_schema(
        {"type": "record", "name": "v", "fields": [{"name": "t", "type": "long"}, {"name": "id", "type": "long"}]}
    )
    found = [fastavro.schemaless_reader(io.BytesIO(value), schema)["id"] for value in values]
    assert sorted(found) == list(range(ROWS))


def test_headers_come_with_every_record(address, prefix):
    send(url_of(address, prefix, headers="stream,scenario,seed,id,team:blue%2Cgreen:x"))
    for record in read(address, f"{prefix}visit"):
        own = dict(record.headers())
        assert own.pop("id") == str(json.loads(record.value())["visit_id"]).encode()
        assert own == {"stream": b"visit", "scenario": b"sample", "seed": b"42", "team": b"blue", "green": b"x"}


def test_binary_cloud_events_reach_the_topic(address, prefix):
    send(url_of(address, prefix, envelope="cloudevents-binary"))
    for record in read(address, f"{prefix}visit"):
        own = dict(record.headers())
        assert own["ce_id"] == str(json.loads(record.value())["visit_id"]).encode()
        assert own["ce_specversion"] == b"1.0"
        assert own["content-type"] == b"application/json"


@pytest.mark.parametrize("form", ["json", "avro"])
def test_deletions_are_followed_by_tombstones_and_do_not_count_as_facts(address, registry, prefix, form):
    batch = deletions()
    options = {"registry": registry} if form == "avro" else {}
    sink = open_sink(url_of(address, prefix, envelope="debezium", format=form, **options))
    sink.open([batch.stream], sample_run())
    sink.write(batch)
    sink.commit(START + SPAN)
    report = sink.close()
    assert (report.acknowledged, report.total) == (28, 28)
    by_key = {}
    for record in read(address, f"{prefix}c_change"):
        by_key.setdefault(record.key(), []).append(record.value() is None)
    assert list(by_key.values()) == [[False, False, True] * 2] * 7


def test_a_name_and_a_password_are_sent_to_the_registry(address, registry, prefix, caplog):
    expected = "Basic " + base64.b64encode(b"me:hush-hush").decode()
    with Gate(registry, expected) as gate, caplog.at_level(logging.DEBUG):
        given = {"schema.registry.basic.auth.user.info": "me:hush-hush"}
        assert send(url_of(address, prefix, gate.url, format="avro"), given=given).acknowledged == ROWS
        wrong = {"schema.registry.basic.auth.user.info": "me:wrong-too"}
        with pytest.raises(SinkError, match=r"HTTP 401: who are you\?") as caught:
            send(url_of(address, f"{prefix}2", gate.url, format="avro"), given=wrong)
    assert all(secret not in caplog.text + str(caught.value) for secret in ("hush-hush", "wrong-too"))


def test_a_token_is_sent_to_the_registry(address, registry, prefix):
    with Gate(registry, "Bearer t0ken") as gate:
        given = {"schema.registry.bearer.auth.token": "t0ken"}
        assert send(url_of(address, prefix, gate.url, format="avro"), given=given).acknowledged == ROWS


def test_a_token_is_fetched_from_an_identity_provider(address, registry, prefix, monkeypatch):
    monkeypatch.setattr("tests.kafka.tokens.token", lambda subject: f"t0ken-of-{subject}")
    with provider("me", "hush-hush") as issuer, Gate(registry, "Bearer t0ken-of-me") as gate:
        names = {"issuer.endpoint.url": issuer, "client.id": "me", "client.secret": "hush-hush", "scope": "write"}
        given = {f"schema.registry.bearer.auth.{name}": value for name, value in names.items()}
        assert send(url_of(address, prefix, gate.url, format="avro"), given=given).acknowledged == ROWS
        given["schema.registry.bearer.auth.client.secret"] = "wrong-too"
        with pytest.raises(SinkError, match="the registry does not answer") as caught:
            send(url_of(address, f"{prefix}2", gate.url, format="avro"), given=given)
    assert "wrong-too" not in str(caught.value)


def test_tls_with_a_client_certificate(own_broker: Broker, registry, prefix, pem):
    with Gate(registry, certificate=pem) as gate:
        names = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location")
        given = {f"schema.registry.{name}": str(pem) for name in names}
        assert send(url_of(own_broker.address, prefix, gate.url, format="avro"), given=given).acknowledged == ROWS
        with pytest.raises(SinkError, match=r"the registry does not answer: .*(certificate|CERTIFICATE)"):
            send(url_of(own_broker.address, prefix, gate.url, format="avro"))


@pytest.fixture
def pem(own_broker, tmp_path):
    """The broker's certificate with its key, as one PEM file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    from tests.kafka.broker import PASSWORD

    key, certificate, _ = pkcs12.load_key_and_certificates(own_broker.keystore.read_bytes(), PASSWORD.encode())
    kind = serialization.Encoding.PEM
    plain = key.private_bytes(kind, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "own.pem"
    path.write_bytes(plain + certificate.public_bytes(kind))
    return path


def test_the_url_of_the_registry_may_be_a_setting(address, registry, client, prefix, tmp_path):
    config = tmp_path / "client.properties"
    config.write_text(f"schema.registry.url={registry}\n")
    send(url_of(address, prefix, format="avro", config=config))
    assert client.get_versions(f"{prefix}visit-value") == [1]
    send(url_of(address, f"{prefix}2", config=config))


def test_a_registry_that_is_not_there_is_named(address, prefix):
    with pytest.raises(SinkError, match=r"^http://127.0.0.1:1: the registry does not answer: .*"):
        send(url_of(address, prefix, "http://127.0.0.1:1", format="avro", timeout="1s"))


def test_a_run_does_not_wait_for_a_registry_longer_than_it_is_to(address, prefix):
    sink = open_sink(url_of(address, prefix, "http://127.0.0.1:1", format="avro"))
    sink.stop = threading.Event()
    threading.Timer(1, sink.stop.set).start()
    with pytest.raises(Stopped):
        sink.open([VISIT], sample_run())
    sink.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schema.registry.basic.auth": "x"}, "settings: 'schema.registry.basic.auth' is not a setting; did you mean"),
        ({"schema.registry.timeout": "soon"}, "schema.registry.timeout: 'soon' is not a number of seconds"),
        ({"schema.registry.basic.auth.user.info": "s3same"}, "basic.auth.user.info must be in the form"),
    ],
)
def test_wrong_settings_of_the_registry_are_refused(given, message):
    with pytest.raises(ParameterError, match=message) as caught:
        open_sink("kafka://h:1?format=avro&registry=http://h:2", given)
    assert "s3same" not in str(caught.value)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_sink_conforms_with_avro_and_headers(check, address, registry, client, prefix):
    numbers = iter(range(100))
    options = {"format": "avro", "headers": "id"}

    def read_back(sink):
        topic = {stream.name: sink._encoders[stream.name].topic for stream in sink.streams}
        return {stream.name: pairs(address, topic[stream.name]) for stream in sink.streams}

    check(lambda: open_sink(url_of(address, f"{prefix}{next(numbers)}.", registry, **options)), read_back)


def pairs(address, topic):
    return [(int(record.key()), int(dict(record.headers())["id"])) for record in read(address, topic)]


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_a_paced_run_says_when_its_facts_were_due(form, address, registry, prefix):
    sink = open_sink(url_of(address, prefix, registry, format=form, headers="id,due"))
    sink.open([VISIT], sample_run())
    staged = sink.stage([sample_batch(VISIT, 10)], np.arange(10) + START)
    sink.emit(staged, 4)
    sink.emit(staged, 10)
    sink.commit(START + SPAN)
    assert sink.close().acknowledged == 10
    records = read(address, f"{prefix}visit")
    headers = [{name: int(value) for name, value in record.headers()} for record in records]
    assert sorted((own["id"], own["due"] - START) for own in headers) == [(i, i) for i in range(10)]


@pytest.mark.parametrize("form", ["avro", "jsonschema", "protobuf"])
def test_a_stream_goes_on_in_its_next_version(form, address, registry, client, prefix):
    added = pa.field("flag", pa.int64(), metadata={"added": str(START + SPAN // 2)})
    stream = Stream("visit", VISIT.schema.append(added), VISIT.id, VISIT.key)
    batch = sample_batch(VISIT, ROWS)
    data = pa.RecordBatch.from_arrays([*batch.data.columns, pa.nulls(ROWS, pa.int64())], schema=stream.schema)
    sink = open_sink(url_of(address, prefix, registry, format=form, headers="id"))
    client.set_compatibility(f"{prefix}visit-value", "BACKWARD")
    sink.open([stream], sample_run())
    sink.write(Batch(stream, data, batch.start, batch.until))
    sink.commit(batch.until)
    assert sink.close().acknowledged == ROWS
    subject = f"{prefix}visit-value"
    numbers = [client.get_version(subject, version).schema_id for version in client.get_versions(subject)]
    assert len(numbers) == 2
    for record in read(address, f"{prefix}visit"):
        late = int(dict(record.headers())["id"]) >= ROWS // 2
        assert struct.unpack(">bI", record.value()[:5])[1] == numbers[late]


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_what_somebody_else_has_registered_is_found(form, address, registry, client, prefix):
    version = Style(find(form), ENVELOPES["plain"]).versions(VISIT, sample_run())[0].format
    number = client.register_schema(f"{prefix}visit-value", Schema(version.schema, version.language))
    send(url_of(address, prefix, registry, format=form, register="false"))
    assert {found for _, found in ids(read(address, f"{prefix}visit"))} == {number}
