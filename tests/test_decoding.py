"""What formats and envelopes have written is read back as it was, whatever its types."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from arrow_rows import LEAVES, RARE, batches
from change_rows import deletions
from hypothesis import given, settings

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sim.errors import ParameterError
from sinks.decoding import Decoder
from sinks.decoding.decoder import LANGUAGES, Known, Tables, Writing
from sinks.envelopes import ENVELOPES
from sinks.formats import find
from sinks.formats.json import objects
from sinks.kafka.values import Style, Values
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

PAIRS = [
    (form, envelope)
    for form in ("json", "avro", "protobuf", "jsonschema", "csv")
    for envelope, kind in ENVELOPES.items()
    if not kind.formats or form in kind.formats
]


def written(stream, data, form, envelope="plain", run=None):
    """The values of messages, the numbers of their schemas before them, and how they are to be read."""
    made = Values(Style(find(form), ENVELOPES[envelope]).versions(stream, run or sample_run()))
    known = {}
    for number, version in enumerate(made.versions, 1):
        if version.format.language:
            version.format.header = version.format.framing(number)
            known[number] = Known(version.format.language, version.format.schema)
    values = made.of(data).to_pylist()
    return values, Writing(form, envelope, known.get if form in LANGUAGES else None)


def bare(stream, data, form, envelope="plain"):
    return Values(Style(find(form), ENVELOPES[envelope]).versions(stream, sample_run())).of(data).to_pylist()


def same(found, expected):
    """Whether facts say the same, NaN included; how lists are nullable is no part of that."""
    assert found.schema.names == expected.schema.names
    assert objects(found).to_list() == objects(expected).to_list()
    return True


@pytest.mark.parametrize(("form", "envelope"), PAIRS)
@pytest.mark.parametrize("make", [simple_stream, typed_stream])
def test_what_was_written_comes_back(make, form, envelope):
    stream = make()
    data = sample_batch(stream, 100).data
    values, writing = written(stream, data, form, envelope)
    decoder = Decoder(writing, stream, sample_run())
    found = decoder.decode(values)
    assert found.data.schema == stream.schema
    assert same(found.data, decoder.as_read(data))
    assert (found.places.tolist(), len(found.unreadable), len(found.deleted)) == (list(range(100)), 0, 0)


@pytest.mark.parametrize(("form", "envelope"), PAIRS)
def test_messages_without_a_number_are_read_by_what_the_stream_is(form, envelope):
    stream = typed_stream()
    data = sample_batch(stream, 40).data
    decoder = Decoder(Writing(form, envelope), stream, sample_run())
    assert same(decoder.decode(bare(stream, data, form, envelope)).data, decoder.as_read(data))


@pytest.mark.parametrize("form", ["avro", "protobuf", "json", "csv"])
@given(batches(LEAVES | RARE))
@settings(max_examples=40, deadline=None)
def test_columns_of_every_type_come_back(form, data):
    own = [pa.field("id", pa.int64()), pa.field(TIME, TIME_TYPE)]
    numbers = np.arange(len(data))
    stream = Stream("s", pa.schema([*data.schema, *own]), "id", "id")
    columns = [*data.columns, pa.array(numbers), pa.array(numbers + START, TIME_TYPE)]
    data = pa.RecordBatch.from_arrays(columns, schema=stream.schema)
    values, writing = written(stream, data, form)
    decoder = Decoder(writing, stream, sample_run())
    assert same(decoder.decode(values).data, decoder.as_read(data))


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema", "json"])
def test_changes_come_back_and_what_is_deleted_is_told(form):
    batch = deletions()
    values, writing = written(batch.stream, batch.data, form, "debezium")
    decoder = Decoder(writing, batch.stream, sample_run())
    found = decoder.decode([*values[:14], None, *values[14:]])
    assert same(found.data, decoder.as_read(batch.data))
    assert same(found.data, batch.data)
    assert found.deleted.tolist() == [14]


def evolving():
    """Facts of which a column is added in the middle, and another goes."""
    visit = simple_stream()
    middle = str(START + SPAN // 2).encode()
    fields = [*visit.schema, pa.field("flag", pa.int64(), metadata={b"added": middle})]
    fields[3] = fields[3].with_metadata({b"dropped": middle})
    stream = Stream("visit", pa.schema(fields), visit.id, visit.key)
    data = sample_batch(visit, 60).data
    late = np.arange(60) >= 30
    columns = [*data.columns[:3], pa.array(np.where(late, None, data.column("page").to_pylist()))]
    columns.append(pa.array(np.where(late, np.arange(60), None)))
    columns = [column.cast(field.type) for column, field in zip(columns, stream.schema, strict=True)]
    return Batch(stream, pa.RecordBatch.from_arrays(columns, schema=stream.schema), START, START + SPAN)


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema", "json", "csv"])
@pytest.mark.parametrize("framed", [True, False])
def test_versions_of_a_stream_are_read_together(form, framed):
    batch = evolving()
    values, writing = written(batch.stream, batch.data, form)
    if not framed:
        values, writing = bare(batch.stream, batch.data, form), Writing(form)
    stamps = batch.data.column(TIME).cast(pa.int64()).to_numpy() // 1000
    shuffled = np.random.default_rng(1).permutation(60)
    decoder = Decoder(writing, batch.stream, sample_run())
    found = decoder.decode([values[place] for place in shuffled], stamps[shuffled])
    assert same(found.data, batch.data.take(pa.array(shuffled)))


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema", "json", "csv"])
@pytest.mark.parametrize(
    "bad", [b"", b"\0", b"\0\0\0\0\1", b"\0\0\0\0\7\0{}", b"nonsense", b"\xff" * 40, b"\0\0\0\0\1\0\xff\xff"]
)
def test_what_cannot_be_read_is_told_and_the_others_are_read(form, bad):
    stream = simple_stream()
    data = sample_batch(stream, 50).data
    values, writing = written(stream, data, form)
    found = Decoder(writing, stream, sample_run()).decode([*values[:20], bad, *values[20:], bad])
    assert found.unreadable.tolist() == [20, 51]
    assert same(found.data, data)


@pytest.mark.parametrize("form", ["avro", "jsonschema", "csv"])
def test_what_ends_in_the_middle_is_no_fact(form):
    stream = typed_stream()
    values, writing = written(stream, sample_batch(stream, 30).data, form)
    found = Decoder(writing, stream, sample_run()).decode([value[: len(value) // 2] for value in values])
    assert (len(found.data), len(found.unreadable)) == (0, 30)


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema", "json"])
@pytest.mark.parametrize("values", [[], [b"\0\0\0\0\1\xff", b"\xff"], [None]])
def test_where_nothing_can_be_read_there_are_no_facts(form, values):
    stream = simple_stream()
    _, writing = written(stream, sample_batch(stream, 1).data, form)
    found = Decoder(writing, stream, sample_run()).decode(values)
    assert (len(found.data), found.data.schema, len(found.unreadable)) == (0, stream.schema, sum(map(bool, values)))
    parts, unreadable, deleted = Tables(writing, "visit").decode(values)
    assert (sum(len(part.data) for part in parts), len(unreadable) + len(deleted)) == (0, len(values))


@pytest.mark.parametrize("bad", [b'1,"open', b"1,2,3", b"a,b\nc,d", b'2024-01-01T00:00:00.000000Z,5,1,"x",9,9'])
def test_a_line_with_other_cells_is_told_from_its_neighbours(bad):
    stream = simple_stream()
    data = sample_batch(stream, 20).data
    values, writing = written(stream, data, "csv")
    found = Decoder(writing, stream, sample_run()).decode([*values[:3], bad, *values[3:], bad])
    assert (found.unreadable.tolist(), same(found.data, data)) == ([3, 21], True)


def test_lines_do_not_tell_their_columns_to_whoever_does_not_know_them():
    with pytest.raises(ParameterError, match="lines do not say which columns they have; verify and check know them"):
        Tables(Writing("csv"), "visit")


def test_text_that_is_no_text_makes_a_record_unreadable():
    stream = simple_stream()
    values, writing = written(stream, sample_batch(stream, 10).data, "avro")
    values[4] = values[4].replace(b"/page", b"\xff\xfeage")
    found = Decoder(writing, stream, sample_run()).decode(values)
    assert (found.unreadable.tolist(), len(found.data)) == ([4], 9)


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema"])
def test_a_column_that_nobody_asked_for_comes_as_text_where_it_is_wanted(form):
    stream = simple_stream()
    more = Stream("visit", stream.schema.append(pa.field("at", TIME_TYPE)), stream.id, stream.key)
    data = sample_batch(stream, 5).data
    instants = pa.array(np.arange(5) + START, TIME_TYPE)
    values, writing = written(more, pa.RecordBatch.from_arrays([*data.columns, instants], schema=more.schema), form)
    found = Decoder(writing, stream, sample_run(), ("at",)).decode(values)
    assert found.data.column("at").to_pylist() == [f"2024-02-28T23:59:59.00000{n}Z" for n in range(5)]
    assert Decoder(writing, stream, sample_run()).decode(values).data.schema == stream.schema


@pytest.mark.parametrize(("form", "envelope"), [pair for pair in PAIRS if pair[0] not in ("json", "csv")])
def test_anybody_can_read_what_the_schema_says(form, envelope):
    stream = simple_stream()
    data = sample_batch(stream, 25).data
    values, writing = written(stream, data, form, envelope)
    parts, unreadable, deleted = Tables(writing, "visit").decode([*values, None, b"?"])
    (part,) = parts
    assert (part.places.tolist(), unreadable.tolist(), deleted.tolist()) == (list(range(25)), [26], [25])
    assert same(part.data, data)


@pytest.mark.parametrize("form", ["avro", "protobuf", "json"])
def test_changes_of_rows_are_changes_to_anybody(form):
    batch = deletions()
    values, writing = written(batch.stream, batch.data, form, "debezium")
    (part,) = Tables(writing, "c_change").decode(values)[0]
    assert part.data.schema.names == [TIME, "c_change_id", "op", "before", "after"]
    for name in (TIME, "c_change_id", "op"):
        assert part.data.column(name).to_pylist() == batch.data.column(name).to_pylist()
    rows = [row and row["plan"] for row in part.data.column("after").to_pylist()]
    assert rows == [row and row["plan"] for row in batch.data.column("after").to_pylist()]
