"""Replaying topics of a real broker, and into it: nothing lost, in order, from wherever it is asked for."""

import json
import subprocess
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka.reading import read

DATAGEN = (sys.executable, "-c", "from sim.cli.main import main; main()")
NOON = 1_700_000_000_000


def datagen(*words, code=0):
    done = subprocess.run((*DATAGEN, *words), capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


def test_a_run_into_topics_comes_back_byte_for_byte(address, prefix):
    words = ("run", "storefront", "--end", "2023-01-03", "-q")
    url = f"kafka://{address}?prefix={prefix}&partitions=3"
    datagen(*words, "--to", url)
    topics = ",".join(
        f"{prefix}{name}" for name in ("product", "customer", "customer_lifecycle", "order", "order_line")
    )
    printed = [line for line in datagen(*words).stdout.splitlines() if '"stream":"return"' not in line]
    again = datagen("replay", f"kafka://{address}/{topics}", "-q").stdout.replace(f'"stream":"{prefix}', '"stream":"')
    assert again.splitlines() == printed


def test_from_topic_to_topic_order_keys_and_values_survive(address, prefix):
    first, second = (f"kafka://{address}?prefix={prefix}{name}.&partitions=3" for name in ("a", "b"))
    datagen("run", "storefront", "--limit", "120000", "--to", first, "-q")
    source = f"kafka://{address}/{prefix}a.customer,{prefix}a.order"
    said = json.loads(datagen("replay", source, "--to", second, "--rate", "200k/s", "--json", "--no-progress").stdout)
    assert said["acknowledged"] == said["facts"] > 100_000
    for name in ("customer", "order"):
        before, after = (read(address, topic) for topic in (f"{prefix}a.{name}", f"{prefix}b.{prefix}a.{name}"))
        told = [[(r.partition(), r.key(), r.value(), r.timestamp()) for r in records] for records in (before, after)]
        assert told[0] == told[1]


def test_a_range_of_timestamps_is_what_is_read(address, prefix):
    topic = f"{prefix}range"
    create(address, topic, 2)
    send(address, topic, range(100))
    words = ("-q", "--key", "n")
    between = "from=2023-11-14T22:13:20.020Z&until=2023-11-14T22:13:20.050Z"
    found = datagen("replay", f"kafka://{address}/{topic}?{between}", *words).stdout.splitlines()
    assert [json.loads(line)["n"] for line in found] == list(range(20, 50))
    late = datagen("replay", f"kafka://{address}/{topic}?from=2024-01-01", code=2)
    assert "there are no records to read" in late.stderr


def test_what_arrives_after_the_start_is_not_read_and_transactions_leave_no_holes(address, prefix):
    topic = f"{prefix}tx"
    create(address, topic, 1)
    producer = Producer({"bootstrap.servers": address, "transactional.id": topic})
    producer.init_transactions(10)
    for turn, numbers in enumerate((range(50), range(50, 60), range(60, 90))):
        producer.begin_transaction()
        for number in numbers:
            producer.produce(topic, json.dumps({"n": number}).encode(), timestamp=NOON + number)
        producer.abort_transaction(10) if turn == 1 else producer.commit_transaction(10)
    found = datagen("replay", f"kafka://{address}/{topic}", "-q").stdout.splitlines()
    assert [json.loads(line)["n"] for line in found] == [*range(50), *range(60, 90)]


def create(address, topic, partitions):
    config = {"retention.ms": "-1"}
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(10)


def send(address, topic, numbers):
    producer = Producer({"bootstrap.servers": address})
    for number in numbers:
        producer.produce(topic, json.dumps({"n": number}).encode(), str(number), number % 2, timestamp=NOON + number)
    assert producer.flush(10) == 0
