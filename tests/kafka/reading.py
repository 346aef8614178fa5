"""Reading topics back."""

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType


def read(address, topic):
    """Every record of a topic, partition by partition, in the order of the log."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "tests", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {number: _end(consumer, topic, number) for number in partitions}
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        return _take(consumer, sum(ends.values()))
    finally:
        consumer.close()


def committed(address, topic, isolation="read_committed"):
    """Every record of a topic that a consumer with this isolation sees, partition by partition."""
    settings = {"bootstrap.servers": address, "group.id": "tests", "enable.partition.eof": True}
    consumer = Consumer({**settings, "isolation.level": isolation, "enable.auto.commit": False})
    partitions = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    records = []
    while partitions:
        for record in consumer.consume(10_000, timeout=0.5):
            error = record.error()
            if error is None:
                records.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:
                partitions.discard(record.partition())
            else:
                raise KafkaException(error)
    consumer.close()
    return sorted(records, key=lambda record: (record.partition(), record.offset()))


def written(address, topic):
    """How many records a topic has so far, markers of transactions counted; none where it is not there yet."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "tests"})
    try:
        topics = consumer.list_topics(timeout=10).topics
        known = topics[topic].partitions if topic in topics else ()
        return sum(_end(consumer, topic, number) for number in known)
    except KafkaException:  # a partition that was just made has no leader
        return 0
    finally:
        consumer.close()


def _end(consumer, topic, number):
    return consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]


def _take(consumer, count):
    records = []
    while len(records) < count:
        found = consumer.consume(min(10_000, count - len(records)), timeout=10)
        if not found:
            raise AssertionError(f"{len(records)} of {count} records came")
        for record in found:
            if record.error():
                raise KafkaException(record.error())
        records += found
    return sorted(records, key=lambda record: (record.partition(), record.offset()))


def settings(address, topic):
    """The settings of a topic, as text by name."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": address})
    return {entry.name: entry.value for entry in admin.describe_configs([resource])[resource].result(10).values()}
