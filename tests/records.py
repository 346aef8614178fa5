"""What is in a topic of a broker that tests write to."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, TopicPartition


def read(address, topic, count, partitions):
    """The first `count` records, partition by partition in the order of the log, or what is there within 30 s."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": topic})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found, deadline = [], time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += [record for record in consumer.consume(count, timeout=0.3) if not record.error()]
    consumer.close()
    found.sort(key=lambda record: (record.partition(), record.offset()))
    return [(one.partition(), one.key(), one.value(), one.timestamp()[1], one.headers()) for one in found]
