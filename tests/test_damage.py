from __future__ import annotations

import io
import json

import numpy as np
import pytest
from fastavro import parse_schema, schemaless_reader
from google.protobuf.message_factory import GetMessageClass

from sinks.damage import KINDS, PADDING, damaged, possible
from sinks.formats.avro import Avro
from sinks.formats.csv import Csv
from sinks.formats.json import Json
from sinks.formats.json_schema import JsonSchema
from sinks.formats.protobuf import Protobuf
from sinks.samples import sample_batch, typed_stream

STREAM = typed_stream()
JSON = [Json, JsonSchema]
FRAMED = 200
"""The number of a schema which is no text, as bytes."""


def messages(kind):
    """A format with some messages; with the number of a schema before them, where they have one."""
    form = kind(STREAM)
    form.header = form.framing(FRAMED) if form.language else b""
    return form, form.encode(sample_batch(STREAM, 20).data)


def broken(damage, kind=Json):
    """The seventh of some messages without its header, as it was and damaged in this way; the others are not."""
    form, whole = messages(kind)
    codes = np.zeros(len(whole), np.uint8)
    codes[6] = KINDS.index(damage) + 1
    found = damaged(whole, codes, STREAM.id, form)
    assert found[:6] + found[7:] == whole[:6] + whole[7:]
    assert found[6].startswith(form.header)
    return whole[6][len(form.header) :], found[6][len(form.header) :], form


@pytest.mark.parametrize("kind", JSON)
def test_a_wrong_type_leaves_the_rest_of_the_message(kind):
    whole, found, _ = broken("wrong_type", kind)
    assert json.loads(found) == json.loads(whole) | {STREAM.id: "wrong type"}


def test_a_truncated_message_is_half_of_it():
    whole, found, _ = broken("truncated")
    assert found == whole[: len(whole) // 2]


@pytest.mark.parametrize("kind", JSON)
def test_bad_text_is_no_utf8(kind):
    whole, found, _ = broken("bad_utf8", kind)
    with pytest.raises(UnicodeDecodeError):
        found.decode()
    assert json.loads(found.decode(errors="ignore")) == json.loads(whole)


def said(message, form):
    """What a reader makes of a message that knows nothing of us."""
    if isinstance(form, Avro):
        return schemaless_reader(io.BytesIO(message), parse_schema(json.loads(form.schema)), None)
    if isinstance(form, Protobuf):
        read = GetMessageClass(form.descriptor).FromString(message)
        return {field.name: value for field, value in read.ListFields()}
    return json.loads(message)


@pytest.mark.parametrize("kind", [*JSON, Avro, Protobuf])
def test_an_oversize_message_says_the_same(kind):
    whole, found, form = broken("oversize", kind)
    assert said(found, form) == said(whole, form)
    assert said(whole, form)
    assert len(found) == len(whole) + PADDING


def test_a_wrong_schema_is_one_that_nobody_knows():
    form, whole = messages(Avro)
    found = damaged(whole, np.full(len(whole), KINDS.index("wrong_schema_id") + 1), STREAM.id, form)
    assert found == [b"\0\x7f\xff\xff\xff" + message[5:] for message in whole]


def test_what_can_be_done_to_messages_depends_on_their_format():
    assert possible(Json, False) == set(KINDS) - {"wrong_schema_id"}
    assert possible(JsonSchema, True) == set(KINDS)
    assert possible(Avro, True) == possible(Protobuf, True) == {"truncated", "oversize", "wrong_schema_id"}
    assert possible(Avro, False) == {"truncated", "oversize"}
    assert possible(Csv, False) == {"truncated"}
