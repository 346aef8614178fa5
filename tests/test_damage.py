from __future__ import annotations

import json

import numpy as np
import pytest

from sinks.damage import KINDS, PADDING, damaged
from sinks.formats.json import Json
from sinks.samples import sample_batch, typed_stream

STREAM = typed_stream()
WHOLE = Json(STREAM).encode(sample_batch(STREAM, 20).data)


def broken(kind: str) -> bytes:
    """The seventh of some messages, damaged in this way; the others are not."""
    damage = np.zeros(len(WHOLE), np.uint8)
    damage[6] = KINDS.index(kind) + 1
    found = damaged(WHOLE, damage, STREAM.id)
    assert found[:6] + found[7:] == WHOLE[:6] + WHOLE[7:]
    return found[6]


def test_a_wrong_type_leaves_the_rest_of_the_message():
    assert json.loads(broken("wrong_type")) == json.loads(WHOLE[6]) | {STREAM.id: "wrong type"}


def test_a_truncated_message_is_half_of_it():
    assert broken("truncated") == WHOLE[6][: len(WHOLE[6]) // 2]


def test_bad_text_is_no_utf8():
    with pytest.raises(UnicodeDecodeError):
        broken("bad_utf8").decode()
    assert json.loads(broken("bad_utf8").decode(errors="ignore")) == json.loads(WHOLE[6])


def test_an_oversize_message_says_the_same():
    assert json.loads(broken("oversize")) == json.loads(WHOLE[6])
    assert len(broken("oversize")) == len(WHOLE[6]) + PADDING


def test_a_wrong_schema_is_one_that_nobody_knows():
    assert broken("wrong_schema_id") == b"\0\x7f\xff\xff\xff" + WHOLE[6][5:]
