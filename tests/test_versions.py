"""Columns that come and go in the middle of a stream, and the versions of the stream that follow from it."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from worlds import END, START, acting, arrow, batches, instants, micros, model, tables

from sim.batch import ALWAYS, Span, Stream
from sim.errors import ScenarioError
from sinks.envelopes import ENVELOPES
from sinks.formats import find
from sinks.formats import protobuf_schema as proto
from sinks.formats.versions import versions
from sinks.kafka.encoding import Encoding
from sinks.kafka.partitions import Partitions
from sinks.kafka.settings import resolve
from sinks.kafka.values import Style, Values
from sinks.run import Run
from sinks.samples import sample_batch, sample_run, simple_stream
from sinks.target import Options, Target

MARCH, JUNE, SEPTEMBER = micros("2024-03-01"), micros("2024-06-01"), micros("2024-09-01")
RUN = Run("world", "0" * 64, 1, START, END)


def spec(versioned=True):
    """Users whose act has a channel from June on and a code until September; a sequel reads the channel."""
    channel = {"type": "choice", "values": ["web", "app"]} | ({"added": "2024-06-01"} if versioned else {})
    code = {"type": "integer", "low": 0, "high": 9} | ({"dropped": "2024-09-01"} if versioned else {})
    plan = {"type": "choice", "values": ["a", "b"]} | ({"added": "2024-03-01"} if versioned else {})
    note = {"type": "expression", "sql": "channel || code"}
    seen = {"type": "expression", "sql": "act.channel"}
    sequel = {"entity": "user", "on": {"stream": "act"}, "attributes": {"seen": seen}}
    entity = {"attributes": {"plan": plan}, "arrivals": {"rate": "1/day"}}
    made = acting(30, "4/month", entity, stream={"attributes": {"code": code, "note": note, "channel": channel}})
    made["streams"]["sequel"] = sequel
    return made


def test_a_column_is_null_outside_its_span_and_the_same_within():
    found, whole = tables(spec()), tables(spec(versioned=False))
    for stream, column, start, until in (
        ("act", "channel", JUNE, END),
        ("act", "code", START, SEPTEMBER),
        ("user", "plan", MARCH, END),
    ):
        times = instants(found[stream])
        there = pl.Series((times >= start) & (times < until))
        same = whole[stream][column]
        expected = same.zip_with(there, pl.Series([None] * len(there), dtype=same.dtype))
        assert found[stream][column].equals(expected, null_equal=True)
        assert 0 < there.sum() < len(there)


def test_the_world_does_not_change_because_a_column_is_not_recorded():
    found, whole = tables(spec()), tables(spec(versioned=False))
    assert found["act"]["note"].equals(whole["act"]["note"])
    assert found["sequel"].equals(whole["sequel"])


def test_shards_agree_about_spans():
    whole = arrow(batches(spec()))
    halves = [arrow(batches(spec(), shard=shard)) for shard in ("1/2", "2/2")]
    for name, table in whole.items():
        both = pl.concat([pl.from_arrow(half[name]) for half in halves]).sort("event_time", table.column_names[0])
        assert both.equals(pl.from_arrow(table).sort("event_time", table.column_names[0]))


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"added": "2024-06-01", "dropped": "2024-06-01"}, "dropped must be after added"),
        ({"added": "soon"}, r"attributes\.code\.added: .*soon"),
        ({"addd": "2024-06-01"}, "did you mean 'added'"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(span, message):
    wrong = spec()
    wrong["streams"]["act"]["attributes"]["code"] = {"type": "integer", "low": 0, "high": 9, **span}
    with pytest.raises(ScenarioError, match=message):
        model(wrong)


def test_a_part_of_a_column_cannot_come_and_go():
    wrong = spec()
    part = {"type": "integer", "low": 0, "high": 9, "added": "2024-06-01"}
    wrong["streams"]["act"]["attributes"]["both"] = {"type": "object", "fields": {"inner": part}}
    with pytest.raises(ScenarioError, match="only whole columns are added and dropped"):
        model(wrong)


def acts():
    (stream,) = (stream for stream in model(spec()).streams if stream.name == "act")
    return stream


def test_a_stream_has_a_version_for_every_set_of_columns():
    found = versions(acts(), START, END)
    assert [start for start, _ in found] == [START, JUNE, SEPTEMBER]
    own = [set(stream.schema.names) & {"channel", "code"} for _, stream in found]
    assert own == [{"code"}, {"code", "channel"}, {"channel"}]


def test_only_versions_of_the_run_count():
    assert [start for start, _ in versions(acts(), JUNE, SEPTEMBER)] == [JUNE]
    (plain,) = versions(Stream("s", pa.schema([("id", pa.int64())]), "id", "id"), START, END)
    assert plain[1].spans == ()


def test_spans_are_read_from_the_schema():
    assert acts().spans == (Span("code", ALWAYS[0], SEPTEMBER), Span("channel", JUNE, ALWAYS[1]))


def test_columns_keep_their_numbers_in_protobuf():
    numbers = []
    for _, stream in versions(acts(), START, END):
        form = find("protobuf")(stream)
        file: FileDescriptorProto = proto.descriptor(form._message, "p")
        numbers.append({field.name: field.number for field in file.message_type[0].field})
    assert numbers[0]["code"] == numbers[1]["code"]
    assert numbers[1]["channel"] == numbers[2]["channel"]
    pairs = {pair for own in numbers for pair in own.items()}
    assert len(pairs) == len(dict(pairs)) == len({number for _, number in pairs})


@pytest.mark.parametrize("partitions", [None, 3])
@pytest.mark.parametrize("envelope", ["plain", "debezium", "cloudevents"])
def test_facts_are_written_in_the_version_of_their_time(partitions, envelope):
    target = Target("kafka://h:1", "kafka", "h:1", {"envelope": envelope})
    encoding = Encoding(Options(target), resolve(target, ""))
    prepared = encoding.prepare(acts(), "t", RUN)
    encoder = prepared.encoder(None if partitions is None else Partitions(partitions))
    seen = set()
    for batch in batches(spec()):
        if batch.stream.name == "act" and len(batch):
            for group in (group.listed() for group in encoder.encode(batch)):
                for value, time in zip(group.values, group.timestamps, strict=True):
                    fact = fact_of(json.loads(value))
                    assert ("channel" in fact) == (time * 1000 >= JUNE)
                    assert ("code" in fact) == (time * 1000 < SEPTEMBER)
                    seen.add(fact["act_id"])
    assert len(seen) == len(tables(spec())["act"])


def fact_of(value):
    return value.get("after") or value.get("data") or value


def test_a_version_begins_at_its_instant():
    batch = sample_batch(simple_stream(), 10)
    (edge,) = batch.times[5:6].tolist()
    added = pa.field("flag", pa.int64(), metadata={"added": str(edge)})
    stream = Stream("visit", batch.stream.schema.append(added), "visit_id", "customer_id")
    style = Style(find("json"), ENVELOPES["plain"])
    data = batch.data.append_column(added, pa.nulls(10, pa.int64()))
    values = Values(style.versions(stream, sample_run())).of(data).to_pylist()
    assert ["flag" in json.loads(value) for value in values] == [False] * 5 + [True] * 5
