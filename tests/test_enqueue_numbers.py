"""Ids that are numbers go over as numbers, and arrive as the texts, in the partitions, that they always had."""

import os

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from murmur import murmur2_of_the_java_client
from records import read

from sinks.kafka import compiled
from sinks.kafka.compiled import Compiled, _located, kernel
from sinks.kafka.enqueue import OneByOne
from sinks.kafka.headers import HeaderRows
from sinks.kafka.messages import ANY, Messages, column
from sinks.kafka.mock import MockBroker
from sinks.kafka.settings import DEFAULTS

NAME = "numbers"
PARTITIONS = 4
SEED = int(os.environ.get("DATAGEN_TEST_SEED", "0"))
LAST = np.iinfo(np.int64).max


@pytest.fixture(scope="module")
def mock():
    with MockBroker() as broker:
        yield broker.address


def producer(address):
    return Producer({**DEFAULTS, "client.id": NAME, "bootstrap.servers": address, "linger.ms": "5"})


def ids():
    """Numbers of all lengths, where texts become longer and between, positive and negative; most of them small."""
    rng = np.random.default_rng(7 + SEED)
    edges = np.array([10**digits + step for digits in range(19) for step in (-1, 0, 1)])
    between = (10 ** rng.uniform(0, 18.9, 300)).astype(np.int64)
    large = np.concatenate([edges, between, [LAST, LAST - 1]])
    found = np.concatenate([large, -large, [-LAST - 1], rng.integers(0, 5000, 600)])
    return rng.permutation(found)


def partition(number, count):
    return (murmur2_of_the_java_client(str(number).encode()) & 0x7FFFFFFF) % count


def placed(address, keys, count, known):
    partitions, order = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    kernel(producer(address), NAME).place(np.array(_located(keys)), count, known, partitions, order)
    return partitions.tolist(), order.tolist()


def numbered(topic):
    """Messages with such keys, in the middle of what their arrays hold."""
    keys = ids()
    values = column([b"%d" % number for number in range(len(keys))])
    headers = HeaderRows([], [("own", values)], len(keys))
    return Messages(topic, ANY, values, pa.array(keys), 10**12 + np.arange(len(keys)), headers).rows(9, len(keys) - 5)


@pytest.mark.parametrize("count", [1, 3, 32, 1000, 40_000])
@pytest.mark.parametrize("remembered", [0, 700, 10_000])
def test_numbers_go_where_the_java_client_sends_their_texts_at_first_and_again(mock, count, remembered):
    keys, known = ids(), np.zeros(remembered if count < 2**15 else 0, np.int16)
    expected = [partition(number, count) for number in keys.tolist()]
    for _ in "ab":
        partitions, order = placed(mock, pa.array(keys), count, known)
        assert partitions == expected
        assert order == np.argsort(expected, kind="stable").tolist()


def test_what_is_remembered_are_the_partitions_of_numbers_that_were_met(mock):
    known, keys = np.zeros(100, np.int16), np.array([5, 99, 100, -1, 5])
    placed(mock, pa.array(keys), 7, known)
    assert np.flatnonzero(known).tolist() == [5, 99]
    assert known[[5, 99]].tolist() == [partition(5, 7) + 1, partition(99, 7) + 1]


def test_numbers_that_are_missing_have_no_partition(mock):
    keys = pa.array([1, None, 2, None, 3, 1])[1:]
    partitions, order = placed(mock, keys, 5, np.zeros(10, np.int16))
    assert partitions == [-1, partition(2, 5), -1, partition(3, 5), partition(1, 5)]
    assert order[:2] == [0, 2]


def test_both_ways_write_the_same_text_for_every_number(mock):
    found = {}
    for way in (OneByOne(producer(mock)), Compiled(producer(mock), NAME, {"Compiled": PARTITIONS})):
        batch = numbered(type(way).__name__)
        assert not way.hand_over(way.ready(batch)).refused
        way._producer.flush(20)
        found[batch.topic] = read(mock, batch.topic, len(batch.values), PARTITIONS)
    assert {row[1] for row in found["OneByOne"]} == {str(number).encode() for number in batch.keys.to_pylist()}
    assert found["Compiled"] == found["OneByOne"]


def test_numbers_without_known_partitions_are_spread_by_the_client_in_the_same_way(mock):
    made, batch = producer(mock), numbered("unknown")
    Compiled(made, NAME, {}).hand_over(batch)
    made.flush(20)
    found = read(mock, "unknown", len(batch.values), PARTITIONS)
    assert len(found) == len(batch.values)
    assert [row[0] for row in found] == [partition(int(row[1]), PARTITIONS) for row in found]


def test_missing_numbers_are_messages_without_a_key(mock):
    made, values = producer(mock), column([b"%d" % number for number in range(6)])
    batch = Messages("gaps", ANY, values, pa.array([1, None, 22, None, 333, -4]), np.arange(6) + 10**12)
    Compiled(made, NAME, {"gaps": PARTITIONS}).hand_over(batch)
    made.flush(20)
    found = sorted((row[2], row[1]) for row in read(mock, "gaps", 6, PARTITIONS))
    assert [key for _, key in found] == [b"1", None, b"22", None, b"333", b"-4"]


def test_a_key_stays_in_its_partition_over_many_batches_whatever_is_remembered(mock, monkeypatch):
    monkeypatch.setattr(compiled, "REMEMBERED", 50)
    made, rng = producer(mock), np.random.default_rng(SEED)
    own = Compiled(made, NAME, {"many": PARTITIONS})
    for turn in range(5):
        values = column([b"%d" % turn] * 200)
        own.hand_over(Messages("many", ANY, values, pa.array(rng.integers(0, 100 * turn + 10, 200)), np.arange(200)))
    made.flush(20)
    found = read(mock, "many", 1000, PARTITIONS)
    assert len(found) == 1000
    assert {(row[0], row[1]) for row in found} == {(partition(int(row[1]), PARTITIONS), row[1]) for row in found}


def test_the_size_of_any_part_of_messages_is_that_of_its_values():
    batch = numbered("t")
    parts = [batch.rows(0, 0), batch.rows(3, 4), batch.rows(50, 400), batch]
    assert [part.bytes for part in parts] == [sum(map(len, part.values.to_pylist())) for part in parts]
