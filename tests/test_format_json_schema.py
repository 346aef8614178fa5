"""JSON Schema: what it says of the objects is true of them, and says enough."""

import json

import pyarrow as pa
import pytest
from arrow_rows import LEAVES, RARE, batches
from hypothesis import given, settings
from jsonschema import Draft7Validator, FormatChecker

from sim.batch import TIME, Stream
from sinks.formats.json import Json
from sinks.formats.json_schema import JsonSchema
from sinks.samples import sample_batch, simple_stream, typed_stream


def validator(form):
    schema = json.loads(form.schema)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema, format_checker=FormatChecker())


@settings(deadline=None, max_examples=100, derandomize=True)
@given(batches(LEAVES | RARE))
def test_every_object_is_valid(data):
    form = JsonSchema(Stream("s", data.schema, "id", "id"))
    check = validator(form)
    for message in form.encode(data):
        check.validate(json.loads(message))


@pytest.mark.parametrize("nulls", [False, True])
def test_the_samples_are_valid_and_the_same_as_plain_json(nulls):
    batch = sample_batch(typed_stream(), 30, nulls=nulls)
    form = JsonSchema(batch.stream)
    messages = form.encode(batch.data)
    assert messages == Json(batch.stream).encode(batch.data)
    assert all(validator(form).is_valid(json.loads(message)) for message in messages)


@pytest.mark.parametrize("change", [{"visit_id": None}, {"page": 7}, {TIME: 1}, {"other": 1}, {"customer_id": 1.5}])
def test_other_objects_are_not_valid(change):
    batch = sample_batch(simple_stream(), 1)
    form = JsonSchema(batch.stream)
    fact = json.loads(form.encode(batch.data)[0])
    assert validator(form).is_valid(fact)
    assert not validator(form).is_valid(fact | change)


def test_types_formats_and_descriptions_are_told():
    fields = [pa.field("visit_id", pa.int64()), pa.field("key", pa.string(), metadata={"logical": "uuid"})]
    fields.append(pa.field("big", pa.uint64(), metadata={"description": "how much"}))
    stream = Stream("visit", pa.schema(fields), "visit_id", "key", description="Visits.")
    schema = json.loads(JsonSchema(stream, "shop").schema)
    assert (schema["title"], schema["description"]) == ("shop.Visit", "Visits.")
    assert schema["required"] == ["visit_id"]
    assert schema["properties"]["key"] == {"type": ["string", "null"], "format": "uuid"}
    assert schema["properties"]["big"] == {"type": ["integer", "null"], "description": "how much"}


def test_the_header_comes_before_the_object():
    batch = sample_batch(simple_stream(), 3)
    form = JsonSchema(batch.stream)
    bare = form.encode(batch.data)
    form.header = form.framing(1)
    assert form.encode(batch.data) == [b"\x00\x00\x00\x00\x01" + message for message in bare]
