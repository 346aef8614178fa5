"""Formats: what a fact looks like as JSON and as CSV."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from sim.batch import TIME, TIME_TYPE, Stream
from sim.errors import ParameterError
from sinks import formats
from sinks.formats.format import Format
from sinks.formats.json import objects
from sinks.samples import START, TEXTS, sample_batch, typed_stream


def encode(name, arrays):
    data = pa.record_batch(arrays)
    return formats.find(name)(Stream("s", data.schema, "id", "id")).encode(data)


def loads(arrays):
    return [json.loads(text) for text in encode("json", arrays)]


def test_json_has_one_object_a_fact_with_the_columns_in_order():
    first, second = encode("json", {"b": pa.array([1, 2]), "a": pa.array(["x", None])})
    assert first == b'{"b":1,"a":"x"}'
    assert second == b'{"b":2,"a":null}'


def test_json_instants_are_utc_with_six_decimals():
    (fact,) = loads({TIME: pa.array([START], TIME_TYPE)})
    assert fact == {TIME: "2024-02-28T23:59:59.000000Z"}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_json_instants_have_one_form_whatever_their_unit(unit):
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    (fact,) = loads({"at": pa.array([1_700_000_000 * scale], pa.timestamp(unit, tz="Europe/Paris"))})
    assert fact["at"] == "2023-11-14T22:13:20.000000Z"


@pytest.mark.parametrize("year", [1, 1899, 1900, 1970, 2024, 2199, 2200, 9999])
def test_json_instants_agree_with_the_standard_library(year):
    rng = np.random.default_rng(year)
    start = (datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    times = start + rng.integers(0, 365 * 86_400_000_000, 200)
    expected = [datetime(1970, 1, 1) + timedelta(microseconds=int(time)) for time in times]
    facts = loads({"at": pa.array(times, TIME_TYPE)})
    assert [fact["at"] for fact in facts] == [f"{at.isoformat(timespec='microseconds')}Z" for at in expected]


def test_json_instants_may_be_null_also_in_slices():
    times = pa.array([None, 0, None, 1_000_000, None, 2_000_000, None, 3_000_000, None, 4_000_000], TIME_TYPE)
    facts = loads({"at": times.slice(3, 5)})
    assert [fact["at"] and fact["at"][17:19] for fact in facts] == ["01", None, "02", None, "03"]


def test_json_civil_times_carry_no_zone():
    (fact,) = loads({"at": pa.array([0], pa.timestamp("us"))})
    assert fact["at"] == "1970-01-01T00:00:00.000000"


def test_json_writes_what_it_lacks_as_null():
    facts = loads({"x": pa.array([float("nan"), float("inf"), -float("inf"), 0.1])})
    assert [fact["x"] for fact in facts] == [None, None, None, 0.1]


def test_json_floats_read_back_as_they_were():
    values = [0.1, 1e300, 5e-324, 123456789.123456789, -0.0]
    assert [fact["x"] for fact in loads({"x": pa.array(values)})] == values


def test_json_keeps_whole_numbers_of_64_bits():
    (fact,) = loads({"i": pa.array([2**63 - 1]), "u": pa.array([2**64 - 1], pa.uint64())})
    assert fact == {"i": 2**63 - 1, "u": 2**64 - 1}


def test_json_escapes_text():
    assert [fact["t"] for fact in loads({"t": pa.array(TEXTS)})] == list(TEXTS)


def test_json_dictionary_columns_are_their_values():
    column = pa.array(["a", None, "b"]).dictionary_encode()
    assert [fact["d"] for fact in loads({"d": column})] == ["a", None, "b"]


def test_json_nests_lists_and_structs():
    (fact,) = loads({"lines": pa.array([[{"at": START, "tags": ["a"]}]], nested())})
    assert fact["lines"] == [{"at": "2024-02-28T23:59:59.000000Z", "tags": ["a"]}]


def nested():
    return pa.list_(pa.struct([("at", TIME_TYPE), ("tags", pa.list_(pa.string()))]))


def test_json_bytes_are_base64():
    assert loads({"raw": pa.array([b"\x00\xff"])}) == [{"raw": "AP8="}]


def test_json_can_put_constants_first():
    text = objects(pa.record_batch({"id": pa.array([7])}), {"stream": "order"})
    assert text.to_list() == ['{"stream":"order","id":7}']


def test_csv_reads_back_as_it_was():
    rows = [line.decode() for line in encode("csv", {"t": pa.array(TEXTS), "n": pa.array(range(len(TEXTS)))})]
    found = list(csv.reader(io.StringIO("\n".join(rows), newline="")))
    assert found == [[text, str(number)] for number, text in enumerate(TEXTS)]


def test_csv_tells_null_from_empty_text():
    assert encode("csv", {"t": pa.array([None, ""]), "x": pa.array([1, None])}) == [b",1", b'"",']


def test_csv_writes_nested_values_as_json():
    (line,) = encode("csv", {"tags": pa.array([["a", "b"]])})
    assert next(csv.reader([line.decode()])) == ['["a","b"]']


@pytest.mark.parametrize("name", formats.names())
@pytest.mark.parametrize("nulls", [False, True])
def test_every_format_takes_every_type(name, nulls):
    batch = sample_batch(typed_stream(), 24, nulls=nulls)
    messages = formats.find(name)(batch.stream).encode(batch.data)
    assert len(messages) == 24
    assert all(isinstance(message, bytes) for message in messages)


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="'jsn' is not a format; did you mean 'json'"):
        formats.find("jsn")


def test_a_format_can_be_added_once(monkeypatch):
    class Length(Format):
        name, content_type = "length", "text/plain"

        def encode(self, data):
            return [b"x"] * len(data)

    monkeypatch.setattr(formats, "_FORMATS", dict(formats._FORMATS))
    formats.register("length", Length)
    assert formats.find("length") is Length
    with pytest.raises(ParameterError, match="'json' already"):
        formats.register("json", Length)
