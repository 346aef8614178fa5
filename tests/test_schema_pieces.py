"""Schemas in pieces say what they say in one: without a registry, by other libraries."""

from __future__ import annotations

import io
import json

import fastavro
import jsonschema
import pytest
import referencing
from commands import invoke

from sinks.decoding import Decoder
from sinks.decoding.decoder import Known, Writing
from sinks.formats import find
from sinks.formats.json import objects
from sinks.samples import sample_batch, sample_run, simple_stream, typed_stream

FORMS = ("avro", "protobuf", "jsonschema")
STREAM = typed_stream()
DATA = sample_batch(STREAM, 50).data


def pieces(form, namespace="datagen.shop"):
    made = find(form)(STREAM, namespace)
    return made, made.pieces


@pytest.mark.parametrize("form", FORMS)
def test_a_piece_comes_before_those_that_need_it(form):
    _, found = pieces(form)
    names = [piece.name for piece in found]
    assert len(set(names)) == len(names) == 3
    assert all(need in names[:place] for place, piece in enumerate(found) for need in piece.needs)
    assert set(found[-1].needs) == set(names[:-1])


@pytest.mark.parametrize("form", FORMS)
def test_without_objects_there_is_one_piece_which_is_the_schema(form):
    made = find(form)(simple_stream(), "datagen.shop")
    assert [(piece.text, piece.needs) for piece in made.pieces] == [(made.schema, ())]


@pytest.mark.parametrize("namespace", ["datagen.shop", "shop", "datagen.datagen", "google.protobuf.thing"])
@pytest.mark.parametrize("form", FORMS)
def test_messages_are_read_by_the_pieces(form, namespace):
    made, (*inner, own) = pieces(form, namespace)
    known = Known(made.language, own.text, {piece.name: piece.text for piece in inner})
    made.header = made.framing(7)
    decoder = Decoder(Writing(form, lookup={7: known}.get), STREAM, sample_run())
    found = decoder.decode(made.encode(DATA)).data
    assert objects(found).to_list() == objects(decoder.as_read(DATA)).to_list()


def test_other_libraries_put_avro_together():
    made, found = pieces("avro")
    known = {}
    for piece in found:
        parsed = fastavro.parse_schema(json.loads(piece.text), named_schemas=known)
    (first, *_) = made.encode(DATA)
    whole = fastavro.schemaless_reader(io.BytesIO(first), fastavro.parse_schema(json.loads(made.schema)), None)
    assert fastavro.schemaless_reader(io.BytesIO(first), parsed, None) == whole


def test_other_libraries_put_json_schemas_together():
    made, found = pieces("jsonschema")
    resources = [(piece.name, referencing.Resource.from_contents(json.loads(piece.text))) for piece in found[:-1]]
    check = jsonschema.Draft7Validator(
        json.loads(found[-1].text), registry=referencing.Registry().with_resources(resources)
    )
    rows = [json.loads(value) for value in made.encode(DATA)]
    assert all(check.is_valid(row) for row in rows)
    assert not check.is_valid(rows[0] | {"place": {"lat": "north"}})
    assert check.is_valid(rows[0] | {"place": None})


def test_what_has_to_be_registered_is_printed_line_by_line():
    done = invoke("schema", "storefront", "order", "--format", "avro", "--envelope", "debezium", "--references")
    *inner, own = map(json.loads, done.stdout.splitlines())
    assert {one["subject"].rpartition(".")[2] for one in inner} == {"Source", "Value"}
    assert sorted(own["references"]) == sorted(one["subject"] for one in inner)
    assert "subject" not in own
