"""What stands beside the values of records, headers and that there is no value, goes along when they are replayed."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from commands import invoke
from confluent_kafka import Consumer, Producer, TopicPartition
from pyarrow import parquet

from sinks.kafka.beside import carried
from sinks.kafka.mock import MockBroker

NOON = 1_700_000_000_000
PAIRS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


@pytest.fixture(scope="module")
def broker():
    with MockBroker() as running:
        yield running.address


def send(broker, topic, messages):
    """Messages of (key, value, headers), a millisecond apart."""
    producer = Producer({"bootstrap.servers": broker})
    for number, (key, value, headers) in enumerate(messages):
        text = None if value is None else json.dumps(value)
        producer.produce(topic, text, key, 0, headers=headers, timestamp=NOON + number)
    assert producer.flush(10) == 0


def taken(broker, topic, count):
    """So many messages of a topic, in order of their timestamps."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found = []
    while len(found) < count:
        found += consumer.consume(count - len(found), timeout=10)
    consumer.close()
    return sorted(found, key=lambda message: message.timestamp()[1])


def replay(*words):
    done = invoke("replay", *words, "-q")
    assert done.exit_code == 0, done.stderr


VISITS = [
    ("7", {"user_id": 7, "n": 0}, [("trace", b"\xff\x00"), ("due", b"1"), ("team", b"blue")]),
    ("8", {"user_id": 8, "n": 1}, [("trace", b"b"), ("team", None)]),
    ("7", {"user_id": 7, "n": 2}, [("trace", b"c"), ("team", b"red")]),
]


@pytest.mark.parametrize("options", ["", "&format=avro", "&envelope=cloudevents-binary"])
def test_headers_go_along_from_topic_to_topic(options, broker):
    topic = f"visits{len(options)}"
    send(broker, topic, VISITS)
    replay(f"kafka://{broker}/{topic}", "--to", f"kafka://{broker}?prefix=to.{options}")
    found = [message.headers() for message in taken(broker, f"to.{topic}", 3)]
    own = [[pair for pair in headers if not pair[0].startswith(("ce_", "content"))] for headers in found]
    assert own[0] == [("trace", b"\xff\x00"), ("team", b"blue")]
    assert own[1:] == [[("trace", b"b"), ("team", None)], [("trace", b"c"), ("team", b"red")]]


def test_headers_are_no_part_of_values_and_those_of_the_sink_come_first(broker):
    send(broker, "plain", VISITS)
    replay(f"kafka://{broker}/plain", "--to", f"kafka://{broker}?prefix=p.&headers=team:green", "--rate", "1k/s")
    found = taken(broker, "p.plain", 3)
    assert all("record_headers" not in json.loads(message.value()) for message in found)
    assert [dict(message.headers())["team"] for message in found] == [b"green"] * 3
    assert [dict(message.headers())["trace"] for message in found] == [b"\xff\x00", b"b", b"c"]


def test_headers_can_be_left_behind(broker):
    send(broker, "left", VISITS)
    replay(f"kafka://{broker}/left?headers=drop", "--to", f"kafka://{broker}?prefix=l.")
    assert [message.headers() for message in taken(broker, "l.left", 3)] == [None] * 3


def test_in_files_headers_are_a_column_from_which_they_come_back(broker, tmp_path):
    send(broker, "filed", VISITS)
    replay(f"kafka://{broker}/filed", "--to", f"parquet:{tmp_path / 'out'}")
    (path,) = (tmp_path / "out" / "filed").glob("*.parquet")
    columns = parquet.read_table(path)["record_headers"].to_pylist()
    named = [[(header["name"], header["value"]) for header in headers] for headers in columns]
    assert named[:2] == [[("trace", b"\xff\x00"), ("team", b"blue")], [("trace", b"b"), ("team", None)]]
    replay(f"parquet:{tmp_path / 'out'}", "--to", f"kafka://{broker}?prefix=f.")
    assert taken(broker, "f.filed", 3)[0].headers() == [("trace", b"\xff\x00"), ("team", b"blue")]


@pytest.mark.parametrize("options", ["", "&format=avro"])
def test_deletions_go_along_where_that_is_wanted(options, broker):
    topic = f"gone{len(options)}"
    messages = [("7", {"user_id": 7}, None), ("7", None, [("why", b"left")]), ("8", {"user_id": 8}, None)]
    send(broker, topic, messages)
    replay(f"kafka://{broker}/{topic}?deletions=keep", "--to", f"kafka://{broker}?prefix=k.{options}")
    found = taken(broker, f"k.{topic}", 3)
    assert [(message.key(), message.value() is None) for message in found] == [
        (b"7", False),
        (b"7", True),
        (b"8", False),
    ]
    assert dict(found[1].headers())["why"] == b"left"


def test_deletions_of_messages_with_a_schema_go_along(broker, tmp_path):
    (tmp_path / "s.avsc").write_text('{"type": "record", "name": "S", "fields": [{"name": "user_id", "type": "long"}]}')
    producer = Producer({"bootstrap.servers": broker})
    for number, value in enumerate((b"\x0e", None, b"\x10")):
        producer.produce("bin", value, str(7 + number // 2), 0, timestamp=NOON + number)
    assert producer.flush(10) == 0
    source = f"kafka://{broker}/bin?format=avro&schema={tmp_path / 's.avsc'}&deletions=keep"
    replay(source, "--to", f"kafka://{broker}?prefix=s.")
    found = [(message.key(), message.value()) for message in taken(broker, "s.bin", 3)]
    assert [(key, value and json.loads(value)["user_id"]) for key, value in found] == [
        (b"7", 7),
        (b"7", None),
        (b"8", 8),
    ]


def test_headers_become_columns_one_for_each_name_and_turn():
    rows = [[("a", b"1"), ("b", b"2"), ("a", b"3")], None, [("b", b"4"), ("x", b"5")]]
    lists = [row and [{"name": name, "value": value} for name, value in row] for row in rows]
    found = [(name, values.to_pylist()) for name, values in carried(pa.array(lists, PAIRS), {"x"})]
    assert found == [("a", [b"1", None, None]), ("b", [b"2", None, b"4"]), ("a", [b"3", None, None])]
