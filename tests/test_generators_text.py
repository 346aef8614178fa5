import re
import subprocess
import sys
import uuid

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import FakeRows

from sim.attributes.column import STRING_CODES
from sim.attributes.registry import AnyAttribute

attribute = TypeAdapter(AnyAttribute).validate_python


def texts(size, ids=None, seed=2, **spec):
    column = attribute(spec).make(FakeRows(size, seed=seed, ids=ids), "x")
    column.to_arrow().validate(full=True)
    return column.to_arrow().to_pylist()


def test_a_sequence_counts_by_id():
    assert texts(3, ids=[0, 4, 9], type="sequence", start=100, step=10) == [100, 140, 190]


def test_a_formatted_sequence_is_padded_and_grows_beyond_its_width():
    assert texts(3, ids=[0, 41, 10**6], type="sequence", format="ORD-{:04d}/é") == [
        "ORD-0001/é",
        "ORD-0042/é",
        "ORD-1000001/é",
    ]
    assert texts(2, ids=[7, 12], type="sequence", start=0, format="{}") == ["7", "12"]


@pytest.mark.parametrize("text", ["ORD", "{} {}", "{:8s}", "{x}", "{:99d}"])
def test_formats_without_exactly_one_number_are_refused(text):
    with pytest.raises(ValidationError, match="is not a format"):
        attribute({"type": "sequence", "format": text})


def test_uuids_are_distinct_version_4_and_repeatable():
    found = texts(2_000, type="uuid")
    assert len(set(found)) == 2_000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in found} == {(4, uuid.RFC_4122)}
    assert found == texts(2_000, type="uuid")
    assert found[0] != texts(1, type="uuid", seed=3)[0]


def test_all_random_bits_of_uuids_are_even():
    bits = np.array([[int(digit, 16) for digit in text.replace("-", "")] for text in texts(4_000, type="uuid")])
    for place in (0, 7, 15, 20, 31):
        assert stats.chisquare(np.bincount(bits[:, place], minlength=16)).pvalue > 1e-4


@pytest.mark.parametrize(
    ("template", "expression"),
    [
        ("[A-Z]{2}-####", r"[A-Z]{2}-\d{4}"),
        ("?#?", r"[A-Z]\d[A-Z]"),
        (r"\#\[x\]é#", r"#\[x\]é\d"),
        ("+33 6 ## ##", r"\+33 6 \d\d \d\d"),
        ("[a-fA-F0-9_]{12}", r"[a-fA-F0-9_]{12}"),
        ("[x]{3}", "xxx"),
    ],
)
def test_patterns_make_texts_of_their_form(template, expression):
    assert all(re.fullmatch(expression, text) for text in texts(500, type="pattern", template=template))


def test_the_characters_of_a_class_are_equally_likely():
    found = texts(20_000, type="pattern", template="[A-F]")
    assert stats.chisquare([found.count(letter) for letter in "ABCDEF"]).pvalue > 1e-3


@pytest.mark.parametrize("template", ["", "[", "[z-a]", "a{", "#{999}", "[é]", "x\\"])
def test_templates_without_meaning_are_refused(template):
    with pytest.raises(ValidationError):
        attribute({"type": "pattern", "template": template})


@pytest.mark.parametrize(
    "spec", [{"type": "uuid"}, {"type": "pattern", "template": "#"}, {"type": "sequence", "format": "a{}"}]
)
def test_no_rows_give_an_empty_text_column(spec):
    column = attribute(spec).make(FakeRows(0), "x")
    assert (len(column), column.to_arrow().type) == (0, pa.string())


def test_faker_values_come_from_a_pool_of_the_locale():
    column = attribute({"type": "faker", "provider": "first_name", "locale": "ja_JP", "pool": 50}).make(
        FakeRows(5_000), "x"
    )
    assert column.type == STRING_CODES
    assert 10 < len(set(column.to_arrow().to_pylist())) <= 50
    assert all(ord(text[0]) > 0x3000 for text in column.to_arrow().to_pylist())


def test_unique_faker_values_have_the_id_before_the_at_sign():
    found = texts(3_000, ids=np.arange(3_000) * 7, type="faker", provider="email", pool=20, unique=True)
    assert len(set(found)) == 3_000
    assert all(re.search(rf"{7 * i}@[a-z.-]+$", text) for i, text in enumerate(found))


@pytest.mark.parametrize(
    ("provider", "kind"), [("latitude", pa.float64()), ("port_number", pa.int64()), ("boolean", pa.bool_())]
)
def test_faker_keeps_numbers_and_booleans(provider, kind):
    spec = attribute({"type": "faker", "provider": provider, "pool": 30})
    assert spec.make(FakeRows(10), "x").type == spec.arrow_type({}) == kind


def test_faker_takes_arguments_of_the_provider():
    found = texts(20, type="faker", provider="pyint", pool=20, args={"min_value": 5, "max_value": 7})
    assert set(found) <= {5, 6, 7}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"provider": "emial"}, "did you mean 'email'"),
        ({"provider": "email", "locale": "fr_FX"}, "did you mean 'fr_"),
        ({"provider": "date_of_birth"}, "not a provider .* repeatable"),
        ({"provider": "words"}, "gives list"),
        ({"provider": "seed_instance"}, "not a provider"),
        ({"provider": "binary"}, "not a provider"),
        ({"provider": "pystr", "args": {"min_chars": 10**9}}, "sizes are at most"),
        ({"provider": "pyint", "args": {"minimum": 1}}, "unexpected keyword"),
        ({"provider": "port_number", "unique": True}, "needs a provider of text"),
    ],
)
def test_faker_refuses_what_it_cannot_repeat_or_does_not_know(keys, message):
    with pytest.raises(ValidationError, match=message):
        attribute({"type": "faker", **keys})


def test_faker_gives_the_same_in_every_process():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from support_rows import FakeRows\n"
        "from sim.attributes.fake import Fake\n"
        "made = Fake(type='faker', provider='name', pool=20).make(FakeRows(50, seed=4), 'x')\n"
        "print(hash(tuple(made.to_arrow().to_pylist())) and '|'.join(made.to_arrow().to_pylist()))"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1
