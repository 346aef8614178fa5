"""The Kafka sink as far as no real broker is needed: settings, secrets, hand-over, the in-process broker."""

import json
import logging
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from murmur import murmur2_of_the_java_client

from sim.batch import Stream
from sim.errors import DeliveryError, ParameterError, SinkError
from sinks import open_sink
from sinks.envelopes import Envelope
from sinks.formats.json import Json
from sinks.kafka.enqueue import enqueue
from sinks.kafka.headers import HeaderRows
from sinks.kafka.keys import Keys
from sinks.kafka.messages import Encoder
from sinks.kafka.mock import MockBroker
from sinks.kafka.partitions import Partitions, murmur2
from sinks.kafka.settings import DEFAULTS, resolve
from sinks.kafka.topics import name, problems
from sinks.kafka.values import Values, Version
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream
from sinks.target import Target

VISIT = simple_stream()
DAY = 86_400_000_000


def settings(given, config="", location="h:9092"):
    return resolve(Target("kafka://h:9092", "kafka", location, {}, given), config)


def test_later_settings_win(tmp_path):
    config = tmp_path / "client.properties"
    config.write_text("# for the test\n\nlinger.ms=1\nclient.id = mine \n")
    values = settings({"linger.ms": "2"}, str(config)).values
    assert values["linger.ms"] == "2"
    assert values["client.id"] == "mine"
    assert values["enable.idempotence"] == DEFAULTS["enable.idempotence"] == "true"
    assert values["bootstrap.servers"] == "h:9092"


def test_the_address_may_come_from_the_file(tmp_path):
    config = tmp_path / "client.properties"
    config.write_text("bootstrap.servers=there:1")
    assert settings({}, str(config), location="").values["bootstrap.servers"] == "there:1"


def test_values_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "s3same")
    found = settings({"sasl.password": "${SECRET}!"})
    assert found.values["sasl.password"] == "s3same!"
    assert found.redact("it was s3same! or s3same") == "it was *** or ***"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("linger.ms", ":1: a line must be name=value"),
        ("sasl.password=${NOT_THERE}", ":1: sasl.password: the environment variable 'NOT_THERE' is not set"),
        ("transactional.id=x", ":1: transactional.id cannot be given"),
        ("error_cb=x", ":1: 'error_cb' is not a setting of librdkafka"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(tmp_path, line, message):
    config = tmp_path / "client.properties"
    config.write_text(line)
    with pytest.raises(ParameterError) as caught:
        settings({}, str(config))
    assert str(caught.value).startswith(f"{config}{message}")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"config=.*absent: No such file or directory"):
        settings({}, str(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"linger.msec": "1"}, "settings: 'linger.msec' is not a setting of librdkafka; did you mean 'linger.ms'"),
        ({"compression.level": "x"}, "settings: compression.level: Invalid value for configuration property"),
        ({"sasl.password": "hush", "debug": "hush"}, 'settings: debug: Invalid value "***"'),
    ],
)
def test_what_the_client_refuses_is_a_parameter_error(given, message):
    sink = open_sink("kafka://127.0.0.1:1", given)
    with pytest.raises(ParameterError) as caught:
        sink.open([VISIT], sample_run())
    assert str(caught.value).startswith(message)
    sink.close()


def test_an_unreachable_broker_is_named_with_the_reason():
    sink = open_sink("kafka://127.0.0.1:1?timeout=500ms")
    with pytest.raises(SinkError, match=r"kafka://127.0.0.1:1: no broker answers within 0.5 s: .*Connection refused"):
        sink.open([VISIT], sample_run())
    assert sink.close().total == 0


@pytest.mark.parametrize("url", ["kafka://me:s3same@h:1", "kafka://me:s3same@h:1?x=1", "kafka://me:s3same@h:1?x"])
def test_a_password_in_the_url_is_refused_and_not_shown(url):
    with pytest.raises(ParameterError) as caught:
        open_sink(url)
    assert "s3same" not in str(caught.value)


def test_secrets_are_in_no_representation():
    sink = open_sink("kafka://h:1", {"sasl.password": "s3same", "security.protocol": "SASL_SSL"})
    assert "s3same" not in repr(vars(sink))


@pytest.mark.parametrize(
    ("template", "message"),
    [("{Stream}", r"\{Stream\} is not known; did you mean 'stream'"), ("all", r"\{stream\} is missing")],
)
def test_a_wrong_topic_template_is_refused(template, message):
    with pytest.raises(ParameterError, match=message):
        open_sink(f"kafka://h:1?topic={template}")


def test_topics_are_named_after_scenario_and_stream():
    assert name("a.{scenario}-{stream}", "shop", "order") == "a.shop-order"
    with pytest.raises(SinkError, match="'my shop' cannot be the name of a topic"):
        name("{scenario}", "my shop", "order")


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ({"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**63 - 1)}, []),
        ({"retention.ms": "3600000"}, ["retention.ms"]),
        ({"message.timestamp.before.max.ms": "3600000"}, ["ms old only"]),
        ({"message.timestamp.after.max.ms": "3600000"}, ["ms ahead only"]),
        ({"message.timestamp.difference.max.ms": "3600000"}, ["ms ahead only", "ms old only"]),
        ({"message.timestamp.type": "LogAppendTime"}, ["LogAppendTime"]),
        ({"cleanup.policy": "compact"}, ["compact"]),
        ({"max.message.bytes": "999"}, ["max.message.bytes"]),
        ({"segment.ms": "1728000"}, []),
        ({"segment.ms": "1700000"}, ["101 a partition"]),
    ],
)
def test_what_a_topic_would_do_to_the_facts(topic, expected):
    run = replace(sample_run(), start=START - DAY, end=START + DAY)
    found = list(problems(topic, run, now=START, batch=1000))
    assert len(found) == len(expected)
    assert all(word in text for word, text in zip(expected, found, strict=True))


class Producer:
    """Takes `room` messages between polls; refuses for good those whose value says so."""

    def __init__(self, room=10**9):
        self.taken, self.headers, self.polls = [], [], 0
        self._room = self._left = room

    def produce(self, topic, value, key, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None):
        if value == b"large":
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if not self._left:
            raise BufferError
        self._left -= 1
        self.taken.append((topic, value, key, timestamp))
        self.headers.append(headers)

    def poll(self, timeout):
        self.polls += 1
        self._left = self._room if self.polls % 3 == 0 else 0


def messages(count):
    return [b"v%d" % i for i in range(count)], [b"k%d" % (i % 5) for i in range(count)], list(range(count))


@pytest.mark.parametrize("room", [1, 7, 100, 1000])
def test_a_full_queue_is_waited_for_without_loss_or_overtaking(room):
    producer = Producer(room)
    values, names, times = messages(200)
    assert not enqueue(producer, "t", values, names, times).refused
    assert producer.taken == [("t", *message) for message in zip(values, names, times, strict=True)]


@pytest.mark.parametrize("room", [1, 7, 1000])
def test_headers_stay_with_their_messages_where_the_queue_is_full(room):
    producer = Producer(room)
    values, names, times = messages(50)
    values[3] = b"large"
    enqueue(producer, "t", values, names, times, 0, HeaderRows([("a", b"b")], [("value", values)], 50))
    assert producer.headers == [[("a", b"b"), ("value", value)] for _, value, _, _ in producer.taken]
    assert len(producer.taken) == 49


@pytest.mark.parametrize("room", [1, 1000])
def test_refused_messages_are_counted_and_the_rest_goes_on(room):
    producer = Producer(room)
    values, names, times = messages(20)
    values[0] = values[7] = values[8] = values[19] = b"large"
    assert enqueue(producer, "t", values, names, times).refused.total() == 4
    assert [value for _, value, _, _ in producer.taken] == [value for value in values if value != b"large"]


def test_keys_are_text():
    data = pa.record_batch({"a": pa.array([-5, None, 2**62]), "b": pa.array(["ü", None, ""]).dictionary_encode()})
    assert keys_of(data, "a") == [b"-5", None, str(2**62).encode()]
    assert keys_of(data, "b") == ["ü".encode(), None, b""]


def keys_of(data, column):
    return Keys(Stream("s", data.schema, "a", column)).of(data).to_pylist()


def encoder(stream, partitions=None):
    envelope = Envelope(stream, sample_run(), "datagen")
    return Encoder("t", Values([Version(0, envelope, Json(stream))]), Keys(stream), partitions=partitions)


def test_timestamps_are_event_times_in_milliseconds():
    (made,) = encoder(VISIT).encode(sample_batch(VISIT, 3, start=START + 999, span=3000))
    assert made.timestamps.tolist() == [START // 1000, START // 1000 + 1, START // 1000 + 2]
    assert made.bytes == sum(map(len, made.listed().values))


def test_the_reference_agrees_with_known_hashes():
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {text: murmur2_of_the_java_client(text) - 2**32 for text in known} == known


def test_keys_are_hashed_as_the_java_client_does():
    rng = np.random.default_rng(9)
    digits = [rng.integers(-(10**size), 10**size, 20) for size in range(1, 19)]
    numbers = np.concatenate([*digits, [0, 1, 9, 10, 99, 100, -1, -10, 2**63 - 1, -(10**18), 10**18]])
    expected = [murmur2_of_the_java_client(str(number).encode()) for number in numbers.tolist()]
    assert murmur2(numbers).tolist() == expected


def test_partitions_are_remembered_and_do_not_depend_on_it():
    rng = np.random.default_rng(8)
    ids = np.concatenate([rng.integers(0, 5000, 3000), [-1, 2**40, 2**62]])
    fresh, used = Partitions(7), Partitions(7)
    used.of(rng.integers(0, 3000, 1000))
    expected = (murmur2(ids) & 0x7FFFFFFF) % 7
    assert fresh.of(ids).tolist() == used.of(ids).tolist() == expected.tolist()
    assert used.of(ids[:3000]).tolist() == expected[:3000].tolist()


def test_messages_come_grouped_by_partition_and_in_order():
    batch = sample_batch(VISIT, 100)
    groups = encoder(VISIT, Partitions(3)).encode(batch)
    assert len({group.partition for group in groups}) == len(groups)
    found = [json.loads(value)["visit_id"] for group in groups for value in group.listed().values]
    assert sorted(found) == list(range(100))
    for group in (group.listed() for group in groups):
        ids = [json.loads(value)["visit_id"] for value in group.values]
        assert ids == sorted(ids)
        assert group.keys == [str(number % 7).encode() for number in ids]
        assert len(group.timestamps) == len(ids)


@pytest.fixture(scope="module")
def mock():
    with MockBroker() as broker:
        yield broker.address


def read(address, topic, count):
    consumer = Consumer({"bootstrap.servers": address, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    records, deadline = [], time.monotonic() + 20
    while len(records) < count and time.monotonic() < deadline:
        records += [record for record in consumer.consume(count, timeout=0.5) if not record.error()]
    consumer.close()
    return records


def test_the_in_process_broker_takes_and_gives_back_every_fact(mock):
    sink = open_sink(f"kafka://{mock}?prefix=plain.")
    sink.open([VISIT], sample_run())
    sink.write(sample_batch(VISIT, 500))
    sink.commit(START + SPAN)
    assert sink.close().acknowledged == 500
    records = read(mock, "plain.visit", 500)
    assert sorted(json.loads(record.value())["visit_id"] for record in records) == list(range(500))
    assert all(record.timestamp()[1] >= START // 1000 for record in records)


def test_facts_that_are_never_acknowledged_are_a_delivery_error(caplog):
    given = {"message.timeout.ms": "300", "socket.timeout.ms": "200", "request.timeout.ms": "200"}
    with MockBroker() as broker:
        sink = open_sink(f"kafka://{broker.address}", given)
        sink.open([VISIT], sample_run())
    with caplog.at_level(logging.CRITICAL):
        sink.write(sample_batch(VISIT, 70))
        sink.commit(START + SPAN)
        with pytest.raises(DeliveryError, match="70 of 70 facts were not acknowledged: 70 Local: Message timed out"):
            sink.close()
    assert (sink.report.acknowledged, sink.report.failed) == (0, {"Local: Message timed out": 70})


def test_a_sink_whose_messages_fail_stops_the_run():
    given = {"message.timeout.ms": "300", "socket.timeout.ms": "200", "request.timeout.ms": "200"}
    with MockBroker() as broker:
        sink = open_sink(f"kafka://{broker.address}", given)
        sink.open([VISIT], sample_run())
    sink.write(sample_batch(VISIT, 70))
    sink.commit(START + SPAN)
    while not sink._client.failed:
        sink._client.producer.poll(0.1)
    with pytest.raises(SinkError, match="topic 'visit': Local: Message timed out"):
        sink.commit(START + SPAN)
