"""The compiled hand-over against a real broker: the same records, whatever happens to the connections."""

import json
import threading
import time

import pytest

from sinks import open_sink
from sinks.samples import sample_batch, sample_run, simple_stream, typed_stream
from tests.kafka.proxy import Proxy
from tests.kafka.reading import committed

VISIT = simple_stream()
FACTS = 30_000
SLOW = {"linger.ms": "5", "batch.size": "20000", "compression.type": "none", "reconnect.backoff.max.ms": "200"}


def records(address, topic):
    found = committed(address, topic)
    return [(one.partition(), one.key(), one.value(), one.timestamp(), one.headers()) for one in found]


def run(address, query, batch, given=None):
    """Send a batch; the report."""
    sink = open_sink(f"kafka://{address}?partitions=3&{query}", given)
    sink.open([batch.stream], sample_run())
    send(sink, batch)
    return sink.close()


def send(sink, batch):
    sink.write(batch)
    sink.commit(batch.until)


@pytest.mark.parametrize("stream", [VISIT, typed_stream()], ids=["simple", "typed"])
@pytest.mark.parametrize(
    "query",
    ["headers=stream,id", "format=avro&key.format=avro", "exactly_once=true", "envelope=cloudevents-binary"],
)
def test_records_are_the_same_whichever_way_they_go(stream, query, address, prefix):
    batch = sample_batch(stream, 500)
    for way in ("python", "compiled"):
        mine = f"prefix={prefix}{way}.&checkpoints={prefix}{way}.checkpoints&enqueue={way}&{query}"
        assert run(address, mine, batch).acknowledged == 500
    found = records(address, f"{prefix}compiled.{stream.name}")
    assert len(found) == 500
    assert found == records(address, f"{prefix}python.{stream.name}")


def test_cut_connections_neither_lose_nor_repeat_nor_reorder(own_broker, prefix):
    batch = sample_batch(VISIT, FACTS)
    with Proxy(own_broker.front, own_broker.hidden, cut_after=500_000) as proxy:
        address = f"127.0.0.1:{own_broker.front}"
        report = run(address, f"prefix={prefix}&enqueue=compiled&headers=id", batch, SLOW)
    assert report.acknowledged == FACTS
    assert proxy.cuts >= 5
    run(own_broker.address, f"prefix={prefix}whole.&enqueue=python&headers=id", batch)
    assert records(own_broker.address, f"{prefix}visit") == records(own_broker.address, f"{prefix}whole.visit")


def test_a_broker_that_stands_still_is_waited_for_with_a_bounded_queue(own_broker, prefix):
    with Proxy(own_broker.front, own_broker.hidden) as proxy:
        given = {"queue.buffering.max.messages": "3000", "queue.buffering.max.kbytes": "2048"}
        sink = open_sink(f"kafka://127.0.0.1:{own_broker.front}?prefix={prefix}&enqueue=compiled", given)
        sink.open([VISIT], sample_run())
        proxy.stop()
        sender = threading.Thread(target=send, args=(sink, sample_batch(VISIT, 20_000)))
        sender.start()
        queued = [len(sink._client.producer) for _ in range(20) if not time.sleep(0.05)]
        assert sender.is_alive()
        proxy.go()
        sender.join()
        assert sink.close().acknowledged == 20_000
    assert 2000 < max(queued) <= 3010
    assert sink.blocked > 0.5
    found = [json.loads(row[2])["visit_id"] for row in records(own_broker.address, f"{prefix}visit")]
    assert sorted(found) == list(range(20_000))
