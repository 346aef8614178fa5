"""JSON by compiled code: the same bytes as polars writes, whatever has to be left to it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from arrow_rows import LEAVES, RARE, batches, columns
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.batch import TIME_TYPE, Stream
from sinks import open_sink
from sinks.formats import json_kernel as kernel
from sinks.formats import loading
from sinks.formats.columns import binary
from sinks.formats.json import Json, Objects, objects
from sinks.formats.json_objects import Written, taken_apart
from sinks.formats.json_schema import JsonSchema
from sinks.samples import SPAN, START, sample_batch, sample_run, typed_stream

SPECIAL = ['"', "\\", "\n", "\x00", "\x1f", "\x08"]
HARMLESS = [" ", "!", "#", "[", "]", "/", "\x7f", "\x80", "é", "\u2028", "日", "😀"]
DAY = timedelta(days=1) // timedelta(microseconds=1)
FIRST, UNTIL = (
    (datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    for year in (1900, 2200)
)


def writer(data, first=None, header=b"", tail=b""):
    return Written(kernel, taken_apart(data)[0], objects, first or {}, header, tail)


def written(data):
    return writer(data).values(taken_apart(data)[1])


def assert_same_bytes(data):
    found = written(data)
    found.validate(full=True)
    assert found.to_pylist() == binary(objects(data)).to_pylist()


def loaded(found=kernel):
    """The compiled code as after many facts, or as where it cannot be had."""
    known = loading.Loading("", 0, 0)
    known.kernel, known._wanted = found, False
    return known


def compiled_alone(monkeypatch):
    """From now on nothing may be left to polars."""
    monkeypatch.setattr("sinks.formats.json_objects._Member._ready", None)


@settings(max_examples=150)
@given(columns(LEAVES | RARE))
def test_whatever_is_written_is_what_polars_writes(data):
    assert_same_bytes(data)


@settings(max_examples=50)
@given(batches(LEAVES | RARE))
def test_lists_and_structs_are_written_too(data):
    if data.num_rows:
        assert_same_bytes(data)


def test_structs_are_taken_apart_where_all_of_them_are_there(monkeypatch):
    compiled_alone(monkeypatch)
    inner = pa.array([{"x": {"y": 1, "z": "a"}, "b": True}, {"x": {"y": None, "z": "b"}, "b": None}] * 3)
    numbers = pa.array(range(6))
    data = pa.record_batch({"id": numbers, "data": inner, "n": numbers, "last": inner}).slice(1, 4)
    assert written(data).to_pylist() == binary(objects(data)).to_pylist()


@pytest.mark.parametrize("deep", range(1, 8))
def test_structs_may_stand_in_each_other(deep):
    rows = [1, None, 3]
    for _ in range(deep):
        rows = [{"a": row} for row in rows]
    data = pa.record_batch({"s": pa.array(rows)})
    assert_same_bytes(data)
    found = writer(data, {"stream": "s"}, b"12345", b"\n").values(taken_apart(data)[1])
    assert found.to_pylist() == [b"12345" + text.encode() + b"\n" for text in objects(data, {"stream": "s"})]


def test_whether_structs_are_missing_may_change(monkeypatch):
    monkeypatch.setattr(loading, "JSON", loaded())
    made = Objects()
    whole, holed = pa.array([{"a": 1}, {"a": 2}]), pa.array([{"a": 1}, None])
    for column in (whole, holed, holed, whole):
        data = pa.record_batch({"n": pa.array([1, 2]), "s": column})
        assert made.texts(data).to_pylist() == [text.encode() for text in objects(data)]


@settings(max_examples=300)
@given(st.lists(st.integers(-(10**17), 10**17), min_size=1), st.integers(-3, 12))
def test_fractions_of_any_number_of_decimals_are_written(units, decimals):
    assert_same_bytes(pa.record_batch({"x": pa.array([unit / 10**decimals for unit in units], pa.float64())}))


@pytest.mark.parametrize("decimals", range(kernel.MOST_DECIMALS + 1))
def test_few_decimals_are_written_by_compiled_code(monkeypatch, decimals):
    compiled_alone(monkeypatch)
    drawn = np.random.default_rng(decimals).lognormal(3, 2, 5000) + 0.001
    sizes = np.round(drawn * np.tile([1, -1], 2500), decimals)
    sizes[:6] = 0.0, -0.0, np.nan, np.inf, -np.inf, 1.0
    data = pa.record_batch({"x": pa.array(sizes)})
    found = written(data).to_pylist()
    assert found == binary(objects(data)).to_pylist()
    read = [json.loads(text)["x"] for text in found]
    assert read == [float(size) if np.isfinite(size) else None for size in sizes]


def test_more_decimals_than_those_of_the_first_rows_are_found_when_they_come(monkeypatch):
    compiled_alone(monkeypatch)
    sizes = np.ones(3000)
    sizes[2500:] = 0.25
    data = pa.record_batch({"x": pa.array(sizes)})
    made = writer(data)
    for part in (data.slice(0, 100), data, data.slice(0, 100)):
        assert made.values(part.columns).to_pylist() == binary(objects(part)).to_pylist()


@pytest.mark.parametrize("late", [1e15, 1e300, 0.1 + 0.2, 1e-7, 0.000001, -1e16, 5e-324])
def test_fractions_that_need_more_are_left_to_polars_from_then_on(late):
    sizes = [0.5, 1.25, 3.0] * 500 + [late]
    data = pa.record_batch({"n": pa.array(range(1501)), "x": pa.array(sizes), "y": pa.array(sizes[::-1])})
    assert_same_bytes(data)
    made = writer(data)
    for part in (data.slice(0, 9), data, data.slice(3, 9)):
        assert made.values(part.columns).to_pylist() == binary(objects(part)).to_pylist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("letter", SPECIAL + HARMLESS)
def test_a_letter_is_escaped_wherever_it_stands(kind, letter):
    texts = ["a" * before + letter + "z" * behind for before in range(18) for behind in range(18)]
    assert_same_bytes(pa.record_batch({"t": pa.array(texts, kind)}).slice(1))
    for text in texts[::7]:
        assert_same_bytes(pa.record_batch({"t": pa.array([text], kind), "n": pa.array([1])}))


@pytest.mark.parametrize("letter", HARMLESS)
def test_text_with_nothing_to_escape_is_written_by_compiled_code(monkeypatch, letter):
    compiled_alone(monkeypatch)
    texts = ["a" * before + letter + "z" * behind for before in range(18) for behind in range(18)]
    data = pa.record_batch({"t": pa.array(texts)})
    assert [json.loads(text)["t"] for text in written(data).to_pylist()] == texts


def test_texts_that_repeat_are_escaped_once():
    texts = pa.array(["", '"', None, "ü\n", "b" * 64])
    places = pa.array([4, None, 3, 2, 1, 0, 4, 4, None, 2, 0], pa.int16())
    column = pa.DictionaryArray.from_arrays(places, texts)
    assert_same_bytes(pa.record_batch({"t": column, "n": pa.array(range(11))}).slice(1, 9))


def test_dictionaries_may_change_from_batch_to_batch():
    parts = [
        pa.record_batch({"t": pa.array([*words, *words]).dictionary_encode()})
        for words in (["a", "b"], ["b", "a"], ["c"], ["a", "b"])
    ]
    made = writer(parts[0])
    for data in [*parts, parts[-1]]:
        assert made.values(data.columns).to_pylist() == binary(objects(data)).to_pylist()


@pytest.mark.parametrize("edge", [FIRST, FIRST + DAY, 0, UNTIL - DAY, UNTIL])
def test_instants_are_those_of_the_standard_library_on_both_sides_of_the_table(edge):
    drawn = np.random.default_rng(4).integers(-DAY, DAY, 300)
    times = (edge + np.concatenate([drawn, [-DAY, -1, 0, 1, DAY - 1]])).tolist()
    data = pa.record_batch({"at": pa.array(times, TIME_TYPE)})
    assert_same_bytes(data)
    read = [json.loads(text)["at"] for text in written(data).to_pylist()]
    instants = [datetime(1970, 1, 1) + timedelta(microseconds=time) for time in times]
    assert read == [f"{instant.isoformat(timespec='microseconds')}Z" for instant in instants]


@pytest.mark.parametrize("inside", [FIRST, 0, UNTIL - 1])
def test_instants_of_the_table_are_written_by_compiled_code(monkeypatch, inside):
    compiled_alone(monkeypatch)
    data = pa.record_batch({"at": pa.array([inside, None], TIME_TYPE)})
    assert written(data).to_pylist() == binary(objects(data)).to_pylist()


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        (pa.int64(), -(2**63)),
        (pa.uint64(), 2**64 - 1),
        (pa.float64(), -999999.12345678),
        (pa.float64(), -123456789012345.0),
        (pa.bool_(), False),
        (pa.string(), "ü" * 100),
        (TIME_TYPE, datetime(2199, 12, 31, tzinfo=UTC)),
        (pa.dictionary(pa.int32(), pa.string()), '"' * 64),
    ],
    ids=str,
)
@pytest.mark.parametrize("missing", [False, True])
def test_there_is_room_for_the_longest_of_everything(kind, longest, missing):
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    column = pa.array([None if missing else longest] * 50, plain)
    column = column.dictionary_encode().cast(kind) if plain != kind else column
    data = pa.record_batch({"a long name": column})
    room = writer(data)._members[0].column(data.column(0)).room
    assert sum(len(text) - 1 for text in written(data).to_pylist()) <= room


def test_names_members_before_and_what_stands_around_are_those_of_polars():
    data = pa.record_batch({'a "name"\n\\é': pa.array([1, 2]), "b": pa.array(["x", None])})
    first = {"stream": 'or"der', "n": "ü"}
    found = writer(data, first, b"\0\0\0\0\7", b"\n").values(data.columns).to_pylist()
    assert found == [b"\0\0\0\0\7" + text.encode() + b"\n" for text in objects(data, first)]


def test_the_columns_and_the_header_may_change(monkeypatch):
    monkeypatch.setattr(loading, "JSON", loaded())
    made = Objects()
    one, other = pa.record_batch({"a": pa.array([1])}), pa.record_batch({"a": pa.array([1]), "b": pa.array([2])})
    for data, header in ((one, b""), (other, b""), (other, b"12345"), (one, b"")):
        assert made.texts(data, header).to_pylist() == [header + text.encode() for text in objects(data)]


@pytest.mark.parametrize("form", [Json, JsonSchema])
def test_both_formats_are_the_same_either_way(monkeypatch, form):
    data = sample_batch(typed_stream(), 500).data
    stream = Stream("s", data.schema, "id", "id")
    made = []
    for found in (None, kernel):
        monkeypatch.setattr(loading, "JSON", loaded(found))
        one = form(stream)
        one.header = bytes(range(5)) if one.language else b""
        made.append((one.values(data).to_pylist(), one.encode(data)))
    assert made[0] == made[1]
    assert made[0][0] == made[0][1]


def test_lines_are_the_same_either_way(monkeypatch, capfdbinary):
    streams, printed = [typed_stream(), typed_stream("other")], []
    for found in (None, kernel):
        monkeypatch.setattr(loading, "JSON", loaded(found))
        sink = open_sink("stdout:")
        sink.open(streams, sample_run())
        for stream in streams:
            sink.write(sample_batch(stream, 900))
        sink.commit(START + SPAN)
        sink.close()
        printed.append(capfdbinary.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count(b"\n") == 1800
