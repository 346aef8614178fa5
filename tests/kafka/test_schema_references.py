"""Types of objects as schemas of their own, which others refer to: read back by the deserializers of the client."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sim.errors import ParameterError, SinkError
from sinks import open_sink
from sinks.decoding.proto_file import compiled, message_at
from sinks.kafka.reading import FactTopics
from sinks.run import Run
from sinks.samples import SPAN, START
from sinks.target import Target
from tests.kafka.reading import read

FORMS = ("avro", "protobuf", "jsonschema")
SPOT = pa.struct([("lat", pa.float64()), ("lon", pa.float64())])
LINE = pa.struct([("sku", pa.string()), ("from_where", SPOT)])
FIELDS = [(TIME, TIME_TYPE), ("visit_id", pa.int64()), ("customer_id", pa.int64())]
ROWS = 30


def stream(line=LINE):
    """Visits at a spot, with lines that have a spot, too."""
    return Stream("visit", pa.schema([*FIELDS, ("spot", SPOT), ("lines", pa.list_(line))]), "visit_id", "customer_id")


def facts(made):
    rows = [
        {
            TIME: START + i,
            "visit_id": i,
            "customer_id": i % 7,
            "spot": {"lat": i / 4, "lon": 1.5} if i % 3 else None,
            "lines": [{"sku": str(k), "from_where": {"lat": k / 2, "lon": 0.5}} for k in range(i % 3)],
        }
        for i in range(ROWS)
    ]
    table = pa.Table.from_pylist(rows, made.schema)
    return Batch(made, table.to_batches()[0], START, START + SPAN)


@pytest.fixture
def run(prefix):
    """A run of a scenario that no other test knows: subjects of types are named after it."""
    return Run(f"world_{prefix.strip('.')}", "0" * 64, 1, START, START + SPAN)


@pytest.fixture
def send(address, registry, prefix, run):
    def sent(form, made=None, **options):
        made = made or stream()
        more = "".join(f"&{name}={value}" for name, value in ({"references": "true"} | options).items())
        url = f"kafka://{address}?prefix={prefix}&format={form}&registry={registry}{more}"
        sink = open_sink(url)
        try:
            sink.open([made], run)
            sink.write(facts(made))
            sink.commit(START + SPAN)
        finally:
            sink.close()
        return url

    return sent


@pytest.fixture(scope="session")
def client(registry):
    return SchemaRegistryClient({"url": registry})


def proto_class(client, subject):
    """The class of a message, as the compiler makes it of what the registry has."""
    files = {}

    def note(schema):
        for one in schema.references:
            own = client.get_version(one.subject, one.version).schema
            files[one.name] = own.schema_str
            note(own)

    top = client.get_latest_version(subject).schema
    note(top)
    return GetMessageClass(message_at(compiled(top.schema_str, files), (0,)))


def deserializer(form, client, subject):
    if form == "avro":
        return AvroDeserializer(client)
    if form == "jsonschema":
        return JSONDeserializer(None, schema_registry_client=client)
    decode = ProtobufDeserializer(proto_class(client, subject), {"use.deprecated.format": False})
    return lambda value, context: MessageToDict(decode(value, context), preserving_proto_field_name=True)


@pytest.mark.parametrize("form", FORMS)
def test_objects_are_read_by_whoever_has_the_registry(form, send, client, address, prefix):
    send(form)
    subject = f"{prefix}visit-value"
    known = client.get_latest_version(subject).schema
    assert len(known.references) == 2
    assert '"lat"' not in known.schema_str
    decode = deserializer(form, client, subject)
    context = SerializationContext(f"{prefix}visit", MessageField.VALUE)
    found = {
        int(fact["visit_id"]): fact for fact in (decode(r.value(), context) for r in read(address, f"{prefix}visit"))
    }
    assert sorted(found) == list(range(ROWS))
    assert found[4]["spot"] == {"lat": 1.0, "lon": 1.5}
    assert found[5]["lines"][1] == {"sku": "1", "from_where": {"lat": 0.5, "lon": 0.5}}


@pytest.mark.parametrize("form", FORMS)
def test_types_have_subjects_of_their_names_and_refer_to_each_other(form, send, client, run):
    send(form)
    mine = sorted(name for name in client.get_subjects() if run.scenario in name)
    prefix = f"datagen.{run.scenario}."
    expected = {
        "avro": ["Visit.Lines", "Visit.Lines.FromWhere", "Visit.Spot"],
        "jsonschema": ["Visit.Lines.FromWhere.json", "Visit.Lines.json", "Visit.Spot.json"],
        "protobuf": ["visit/Lines.proto", "visit/Spot.proto", "visit/lines/FromWhere.proto"],
    }[form]
    assert mine == sorted((prefix.replace(".", "/") if form == "protobuf" else prefix) + name for name in expected)
    lines = next(name for name in mine if name.endswith(("Lines", "Lines.json", "Lines.proto")))
    (inner,) = client.get_latest_version(lines).schema.references
    assert "FromWhere" in inner.name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("envelope", ["plain", "debezium"])
def test_what_refers_to_others_is_read_back_by_us(form, envelope, send, run):
    url = send(form, envelope=envelope)
    made = stream()
    (batch, *more) = FactTopics(Target.parse(url)).batches(made, run)
    table = pa.Table.from_batches([batch, *more]).sort_by("visit_id")
    expected = facts(made).data
    assert table.select(["visit_id", "lines"]).to_pylist() == expected.select(["visit_id", "lines"]).to_pylist()
    assert table.column("spot").to_pylist() == expected.column("spot").to_pylist()


@pytest.mark.parametrize("form", FORMS)
def test_registering_twice_changes_nothing_and_looking_up_finds_all(form, send, client, run, prefix):
    for options in ({}, {}, {"register": "false"}):
        send(form, **options)
    subjects = [f"{prefix}visit-value", *(name for name in client.get_subjects() if run.scenario in name)]
    assert [client.get_versions(name) for name in subjects] == [[1]] * 4


@pytest.mark.parametrize("form", FORMS)
def test_a_type_that_is_missing_is_named(form, send):
    with pytest.raises(SinkError, match=r"(Spot|FromWhere)\S*': register=false.*it has no such subject"):
        send(form, register="false")


def test_a_type_that_changes_has_a_new_version_that_the_others_refer_to(send, client, run, prefix):
    send("avro")
    more = pa.struct([*LINE, ("note", pa.string())])
    send("avro", stream(more))
    assert client.get_versions(f"datagen.{run.scenario}.Visit.Lines") == [1, 2]
    references = client.get_latest_version(f"{prefix}visit-value").schema.references
    assert {one.name.rpartition(".")[2]: one.version for one in references} == {"Spot": 1, "Lines": 2}


def test_before_and_after_refer_to_one_type(send, client, prefix):
    send("avro", envelope="debezium")
    known = client.get_latest_version(f"{prefix}visit-value").schema
    assert sorted(one.name.rpartition(".")[2] for one in known.references) == ["Source", "Value"]
    types = {part["name"]: part["type"] for part in json.loads(known.schema_str)["fields"]}
    assert types["before"] == types["after"] == ["null", known.references[0].name]


@pytest.mark.parametrize("query", ["format=avro&references=true", "references=true&registry=http://h:2"])
def test_references_need_a_registry_and_a_schema(query):
    with pytest.raises(
        ParameterError, match=r"references=true is for schemas in a registry|json, csv and text have no"
    ):
        open_sink(f"kafka://h:1?{query}")
