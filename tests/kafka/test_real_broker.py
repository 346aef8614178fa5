"""The Kafka sink against a real broker: every fact once, in order, and every failure told."""

import json
import logging
from collections import defaultdict

import pyarrow as pa
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from sim.batch import TIME, Batch
from sim.errors import DeliveryError, SinkError
from sinks import open_sink
from sinks.conformance import CHECKS
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream
from tests.kafka.broker import PASSWORD, USER, Broker
from tests.kafka.reading import read, settings

VISIT = simple_stream()


def send(url, windows=(50, 50), streams=(VISIT,), given=None, start=START):
    sink = open_sink(url, given)
    sink.open(streams, sample_run(START + len(windows) * SPAN))
    for number, rows in enumerate(windows):
        for stream in streams:
            sink.write(sample_batch(stream, rows, sum(windows[:number]), start + number * SPAN))
        sink.commit(start + (number + 1) * SPAN)
    return sink


def create(address, topic, partitions=1, **config):
    names = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, partitions, 1, config=names)])[topic].result(10)


def test_every_fact_arrives_once_with_its_key_and_timestamp(address, prefix):
    other = simple_stream("other", 1)
    windows = (20_000, 0, 5000)
    report = send(f"kafka://{address}?prefix={prefix}&partitions=3", windows, (VISIT, other)).close()
    assert report.acknowledged == report.total == 50_000
    for stream in (VISIT, other):
        records = read(address, prefix + stream.name)
        facts = [json.loads(record.value()) for record in records]
        assert sorted(fact[stream.id] for fact in facts) == list(range(25_000))
        assert all(int(record.key()) == fact["customer_id"] for record, fact in zip(records, facts, strict=True))
        assert [record.timestamp()[1] for record in records] == [milliseconds(fact[TIME]) for fact in facts]
        assert_in_order_per_key(records, stream)


def milliseconds(text):
    return int(pa.scalar(text.rstrip("Z")).cast(pa.timestamp("us")).value // 1000)


def assert_in_order_per_key(records, stream):
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key()].append((record.partition(), json.loads(record.value())[stream.id]))
    for places in by_key.values():
        assert len({partition for partition, _ in places}) == 1
        assert places == sorted(places)


def test_a_full_queue_loses_nothing_and_keeps_the_order(address, prefix):
    given = {"queue.buffering.max.messages": "100"}
    report = send(f"kafka://{address}?prefix={prefix}", (5000,), given=given).close()
    records = read(address, f"{prefix}visit")
    assert report.acknowledged == len(records) == 5000
    assert_in_order_per_key(records, VISIT)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_sink_conforms(check, address, prefix):
    numbers = iter(range(100))

    def read_back(sink):
        return {stream.name: pairs(address, sink._encoders[stream.name].topic, stream) for stream in sink.streams}

    check(lambda: open_sink(f"kafka://{address}?prefix={prefix}{next(numbers)}."), read_back)


def pairs(address, topic, stream):
    return [(int(record.key()), json.loads(record.value())[stream.id]) for record in read(address, topic)]


def test_topics_are_created_for_simulated_time(address, prefix):
    send(f"kafka://{address}?prefix={prefix}&partitions=5&replication=1").close()
    found = settings(address, f"{prefix}visit")
    assert found["retention.ms"] == "-1"
    assert int(found["segment.ms"]) == 2**63 - 1
    assert int(found["message.timestamp.after.max.ms"]) == 2**63 - 1
    assert found["message.timestamp.type"] == "CreateTime"
    topics = AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics
    assert len(topics[f"{prefix}visit"].partitions) == 5


@pytest.mark.parametrize("year", [1970, 2100])
def test_facts_of_any_year_are_kept(address, prefix, year):
    start = (year - 1970) * 365 * 86_400_000_000 + 1000
    report = send(f"kafka://{address}?prefix={prefix}", start=start).close()
    assert report.acknowledged == len(read(address, f"{prefix}visit")) == 100


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_keys_go_where_the_client_would_send_them(address, prefix, partitions):
    url = f"kafka://{address}?partitions={partitions}&prefix={prefix}"
    send(f"{url}ours.").close()
    sink = open_sink(f"{url}theirs.")
    sink.open([VISIT], sample_run())
    sink._encoders["visit"]._partitions = None
    sink.write(sample_batch(VISIT, 100))
    sink.commit(START + SPAN)
    sink.close()
    ours, theirs = (places(address, f"{prefix}{name}.visit") for name in ("ours", "theirs"))
    assert ours == theirs
    assert len(ours) == 7


def places(address, topic):
    return {record.key(): record.partition() for record in read(address, topic)}


def test_another_partitioner_is_left_to_the_client(address, prefix):
    report = send(f"kafka://{address}?partitions=3&prefix={prefix}", given={"partitioner": "consistent_random"}).close()
    assert report.acknowledged == 100
    assert_in_order_per_key(read(address, f"{prefix}visit"), VISIT)


def test_topics_are_named_by_template(address, prefix):
    send(f"kafka://{address}?topic={prefix}{{scenario}}.{{stream}}").close()
    assert len(read(address, f"{prefix}sample.visit")) == 100


def test_an_existing_topic_that_does_not_fit_is_told_of(address, prefix, caplog):
    topic = f"{prefix}visit"
    create(address, topic, 2, retention_ms="86400000", cleanup_policy="compact,delete", max_message_bytes="5000")
    with caplog.at_level(logging.WARNING, "datagen"):
        sink = open_sink(f"kafka://{address}?prefix={prefix}&partitions=4")
        sink.open([VISIT], sample_run())
    text = caplog.text
    assert f"topic '{topic}' has 2 partitions, not 4" in text
    assert "keeps records of the last 86400000 ms only (retention.ms)" in text
    assert "keeps only the last fact of each key" in text
    assert "takes 5000 bytes at once only" in text
    sink.close()


def test_a_topic_that_fits_is_used_without_a_word(address, prefix, caplog):
    with caplog.at_level(logging.WARNING, "datagen"):
        send(f"kafka://{address}?prefix={prefix}").close()
        send(f"kafka://{address}?prefix={prefix}").close()
    assert not caplog.records
    assert len(read(address, f"{prefix}visit")) == 200


def test_facts_that_the_broker_refuses_are_counted(address, prefix):
    create(address, f"{prefix}visit", message_timestamp_after_max_ms="3600000", retention_ms="-1")
    future = (2100 - 1970) * 365 * 86_400_000_000
    sink = send(f"kafka://{address}?prefix={prefix}", (30,), start=future)
    with pytest.raises(DeliveryError, match="30 of 30 facts were not acknowledged: 30 Broker: "):
        sink.close()
    assert sink.report.acknowledged == 0


def test_a_fact_that_is_too_large_is_counted_and_the_others_arrive(address, prefix):
    batch = sample_batch(VISIT, 20)
    pages = ["/"] * 19 + ["x" * 5000]
    data = batch.data.set_column(3, "page", pa.array(pages))
    sink = open_sink(f"kafka://{address}?prefix={prefix}", {"message.max.bytes": "2000"})
    sink.open([VISIT], sample_run())
    sink.write(Batch(VISIT, data, batch.start, batch.until))
    sink.commit(batch.until)
    with pytest.raises(DeliveryError, match=r"1 of 20 facts were not acknowledged: 1 .*[Mm]essage size too large"):
        sink.close()
    assert sink.report.acknowledged == len(read(address, f"{prefix}visit")) == 19


def test_every_type_reaches_the_topic_as_json(address, prefix):
    send(f"kafka://{address}?prefix={prefix}", (40,), (typed_stream(),)).close()
    facts = [json.loads(record.value()) for record in read(address, f"{prefix}thing")]
    assert all(list(fact) == typed_stream().schema.names for fact in facts)


def test_user_and_password_come_from_a_file_and_the_environment(own_broker, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    config = tmp_path / "client.properties"
    lines = ["security.protocol = SASL_PLAINTEXT", "sasl.mechanisms=PLAIN", f"sasl.username={USER}"]
    config.write_text("\n".join([*lines, "# a comment", "sasl.password=${BROKER_PASSWORD}"]))
    report = send(f"kafka://{own_broker.sasl}?prefix={prefix}&config={config}").close()
    assert report.acknowledged == 100


def test_a_wrong_password_is_told_and_not_shown(own_broker, prefix, caplog):
    given = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN"}
    secret = {"sasl.username": USER, "sasl.password": "wrong-and-secret"}
    sink = open_sink(f"kafka://{own_broker.sasl}?prefix={prefix}", given | secret)
    with caplog.at_level(logging.DEBUG), pytest.raises(SinkError, match=r"[Aa]uthentication") as caught:
        sink.open([VISIT], sample_run())
    assert "wrong-and-secret" not in str(caught.value) + caplog.text + repr(vars(sink))
    sink.close()


def test_tls_with_a_client_certificate(own_broker, prefix):
    given = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(own_broker.certificate),
        "ssl.keystore.location": str(own_broker.keystore),
        "ssl.keystore.password": PASSWORD,
    }
    report = send(f"kafka://{own_broker.tls}?prefix={prefix}", given=given).close()
    assert report.acknowledged == 100


def test_a_broker_that_dies_is_told_and_the_account_is_right(own_broker, prefix):
    with Broker() as mortal:
        given = {"message.timeout.ms": "2000", "socket.timeout.ms": "1000", "request.timeout.ms": "1000"}
        sink = send(f"kafka://{mortal.address}?prefix={prefix}", (100,), given=given)
        while sink._client.acknowledged < 100:
            sink._client.producer.poll(0.1)
        mortal.kill()
        sink.write(sample_batch(VISIT, 50, 100, START + SPAN))
        sink.commit(START + 2 * SPAN)
        with pytest.raises(DeliveryError, match="50 of 150 facts were not acknowledged: 50 Local: Message timed out"):
            sink.close()
        mortal.start()
        assert len(read(mortal.address, f"{prefix}visit")) == sink.report.acknowledged == 100
