"""The two ways of handing messages to the Kafka client do the same; the compiled one refuses where it is not safe."""

import ctypes
import logging
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from commands import ROOT
from confluent_kafka import Producer
from murmur import murmur2_of_the_java_client
from records import read

from sim.errors import DeliveryError, MissingExtra, ParameterError
from sinks import open_sink
from sinks.kafka import symbols, ways
from sinks.kafka.client import Client
from sinks.kafka.compiled import Compiled, _located, kernel
from sinks.kafka.enqueue import OneByOne
from sinks.kafka.headers import HeaderRows
from sinks.kafka.messages import ANY, Messages
from sinks.kafka.mock import MockBroker
from sinks.kafka.settings import DEFAULTS, resolve
from sinks.kafka.ways import AUTO, COMPILED, PYTHON, Ways
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream
from sinks.target import Target

VISIT = simple_stream()
IMPATIENT = {"message.timeout.ms": "300", "socket.timeout.ms": "200", "request.timeout.ms": "200"}
NAME = "enqueue"
PARTITIONS = 4


@pytest.fixture(scope="module")
def mock():
    with MockBroker() as broker:
        yield broker.address


def producer(address, **given):
    settings = {name.replace("_", "."): value for name, value in given.items()}
    return Producer({**DEFAULTS, "client.id": NAME, "bootstrap.servers": address, "linger.ms": "5", **settings})


def way(choice, made, topic="t"):
    return Compiled(made, NAME, {topic: PARTITIONS}) if choice == COMPILED else OneByOne(made)


def messages(count, topic="t", nulls=0.1):
    """Values, keys and headers of all lengths, some empty, some missing; keys never, for the client would draw lots."""
    rng = np.random.default_rng(5 + int(os.environ.get("DATAGEN_TEST_SEED", "0")))

    def column(missing):
        texts = [rng.bytes(length) for length in rng.integers(0, 40, count).tolist()]
        return pa.array(texts, pa.large_binary(), mask=rng.random(count) < missing)

    constant = [("source", b"here"), ("empty", b""), ("nothing", None)]
    headers = HeaderRows(constant, [("id", column(0)), ("maybe", column(nulls))], count)
    return Messages(topic, ANY, column(nulls), column(0), 10**12 + np.arange(count), headers, mourned=True)


def send(choice, made, batch, at=0, count=None):
    own = way(choice, made, batch.topic)
    done = own.hand_over(own.ready(batch.rows(at, len(batch.values) if count is None else at + count)))
    made.flush(20)
    return done


@pytest.mark.parametrize("count", [1, 3, 32, 1000])
def test_keys_are_spread_as_the_java_client_does_and_grouped_in_order(mock, count):
    keys = pa.concat_arrays([messages(500).keys, pa.array([None, b""] * 3, pa.large_binary())])[7:]
    partitions, order = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    kernel(producer(mock), NAME).place(np.array(_located(keys)), count, np.zeros(9, np.int16), partitions, order)
    known = [-1 if key is None else (murmur2_of_the_java_client(key) & 0x7FFFFFFF) % count for key in keys.to_pylist()]
    assert partitions.tolist() == known
    assert order.tolist() == np.argsort(known, kind="stable").tolist()


@pytest.mark.parametrize("size", [0, 1, 700])
def test_both_ways_put_the_same_into_the_same_partitions(mock, size):
    batch = {choice: messages(size, f"same-{size}-{choice}") for choice in (PYTHON, COMPILED)}
    for choice, one in batch.items():
        assert not send(choice, producer(mock), one).refused
    python, compiled = (read(mock, one.topic, size, PARTITIONS) for one in batch.values())
    assert len(python) == size
    assert compiled == python


def test_a_part_of_a_column_is_sent_and_nothing_beside_it(mock):
    batch = messages(400, "part")
    send(COMPILED, producer(mock), batch, 100, 50)
    found = sorted(read(mock, "part", 50, PARTITIONS), key=lambda row: row[3])
    own = batch.rows(100, 150).listed()
    assert [row[3] for row in found] == own.timestamps
    assert [row[1:3] for row in found] == [*zip(own.keys, own.values, strict=True)]
    assert [row[4] for row in found] == [*own.headers]


def test_messages_without_keys_are_spread_by_the_client(mock):
    values = pa.array([b"%d" % number for number in range(50)], pa.large_binary())
    batch = Messages("keyless", ANY, values, pa.nulls(50, pa.large_binary()), np.arange(50) + 10**12)
    send(COMPILED, producer(mock), batch)
    found = read(mock, "keyless", 50, PARTITIONS)
    assert {row[1] for row in found} == {None}
    assert sorted(int(row[2]) for row in found) == list(range(50))


def test_a_full_queue_is_waited_for_and_never_exceeded(mock):
    made, batch = producer(mock, queue_buffering_max_messages="20"), messages(3000, "full")
    own = way(COMPILED, made, "full")
    assert own.hand_over(batch).waited > 0
    assert len(made) <= 20
    made.flush(20)
    twin = producer(mock)
    send(PYTHON, twin, messages(3000, "roomy"))
    assert read(mock, "full", 3000, PARTITIONS) == read(mock, "roomy", 3000, PARTITIONS)
    assert own.undecided == 0


def test_messages_that_are_too_large_are_refused_and_the_rest_goes_on(mock):
    values = pa.array([b"x" * (5000 if number % 7 == 0 else 5) for number in range(50)], pa.large_binary())
    refused = {}
    for choice in (PYTHON, COMPILED):
        batch = Messages(f"large-{choice}", ANY, values, values, np.arange(50) + 10**12)
        refused[choice] = send(choice, producer(mock, message_max_bytes="2000"), batch).refused
        assert len(read(mock, batch.topic, 42, PARTITIONS)) == 42
    assert refused[COMPILED] == refused[PYTHON]
    assert refused[COMPILED].total() == 8


def fated(choice, given=IMPATIENT):
    """A client whose broker has gone away, after it was there."""
    with MockBroker() as broker:
        settings = resolve(Target("kafka://h", "kafka", broker.address, {}, given), "")
        client = Client(settings, "kafka://h", enqueue=choice)
        client.connect(10)
        client.producer.list_topics("t", timeout=10)
    return client


@pytest.mark.parametrize("choice", [PYTHON, COMPILED])
def test_what_fails_is_counted_with_its_topic_and_its_reason(choice, caplog):
    with caplog.at_level(logging.CRITICAL):
        client = fated(choice)
        client.send(messages(70))
        client.finish()
    # Where the machine is busy, the client library may not have given them up by the time at which we do.
    assert client.failed in ({"Local: Message timed out": 70}, {"not acknowledged in time": 70})
    assert client.acknowledged == 0
    if "not acknowledged in time" not in client.failed:
        assert (client.hopeless or "").startswith("topic 't': Local: Message timed out")


def test_what_was_handed_over_before_the_change_is_counted_after_it(caplog, monkeypatch):
    monkeypatch.setattr(ways, "ENOUGH", 30)
    with caplog.at_level(logging.CRITICAL):
        client = fated(AUTO, IMPATIENT | {"message.timeout.ms": "3000"})
        client.send(messages(30))
        client._ways.after(30)
        client._ways._loading.result()
        client.send(messages(40))
        client.finish()
    assert client.groups
    assert client.failed == {"Local: Message timed out": 70}


def test_after_many_messages_the_compiled_way_takes_over(mock, monkeypatch):
    made = producer(mock)
    chosen = Ways(AUTO, made, NAME, {})
    assert isinstance(chosen.after(ways.ENOUGH - 1), OneByOne)
    chosen.after(ways.ENOUGH)
    chosen._loading.result()
    assert isinstance(chosen.after(ways.ENOUGH), Compiled)
    assert isinstance(Ways(PYTHON, made, NAME, {}).after(10**9), OneByOne)


def test_without_numba_it_is_said_once_and_everything_arrives(mock, monkeypatch, caplog):
    monkeypatch.setattr(ways, "ENOUGH", 0)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "sinks.kafka.kernel", raising=False)
    ways.tell_slow.cache_clear()
    for number in range(2):
        sink = open_sink(f"kafka://{mock}?prefix=plain{number}.")
        sink.open([VISIT], sample_run())
        for start in (START, START + SPAN):
            sink.write(sample_batch(VISIT, 50, start=start))
            sink.commit(start + SPAN)
            assert not sink._client._ways._loading or sink._client._ways._loading.exception()
        assert sink.close().acknowledged == 100
    said = [record.message for record in caplog.records if "one by one" in record.message]
    assert len(said) == 1
    assert "pip install 'datagen[fast]'" in said[0]


def test_the_compiled_way_cannot_be_demanded_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingExtra, match=r"enqueue=compiled needs .*'datagen\[fast\]'"):
        open_sink("kafka://h:1?enqueue=compiled")


def test_a_way_that_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match="option enqueue: 'compile' is not allowed; did you mean 'compiled'"):
        open_sink("kafka://h:1?enqueue=compile")


@pytest.mark.parametrize("other", [1.0, 1e-310, (0,), object(), "text"])
def test_what_is_no_producer_has_no_handle(other):
    with pytest.raises(symbols.Unfit):
        symbols.handle(other, NAME)


def test_a_handle_must_be_that_of_the_producer_named(mock):
    with pytest.raises(symbols.Unfit, match="does not hold its handle"):
        symbols.handle(producer(mock), "somebody-else")


@pytest.mark.parametrize("part", ["handle", "report_of", "library"])
def test_a_client_that_is_not_what_it_is_taken_for_gets_its_messages_one_by_one(part, mock, monkeypatch, caplog):
    def unfit(*_):
        raise symbols.Unfit("it is another one")

    monkeypatch.setattr(symbols, part, unfit)
    monkeypatch.delitem(sys.modules, "sinks.kafka.kernel", raising=False)
    ways.tell_slow.cache_clear()
    chosen = Ways(AUTO, producer(mock), NAME, {})
    chosen.after(ways.ENOUGH)
    chosen._loading.exception()
    assert isinstance(chosen.after(ways.ENOUGH), OneByOne)
    assert "at a third of the speed: it is another one" in caplog.text


def test_messages_that_nobody_reports_on_are_no_success(mock):
    sink = open_sink(f"kafka://{mock}?prefix=silent.&enqueue=compiled")
    sink.open([VISIT], sample_run())
    deaf = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(lambda *_: None)
    symbols.redirect(sink._client._ways.way._handle, ctypes.cast(deaf, ctypes.c_void_p).value)
    sink.write(sample_batch(VISIT, 50))
    sink.commit(START + SPAN)
    with pytest.raises(DeliveryError, match="50 of 50 facts were not acknowledged: 50 unaccounted for"):
        sink.close()


@pytest.mark.parametrize(("way", "before"), [(COMPILED, True), (PYTHON, False)])
def test_the_next_window_is_encoded_while_messages_are_sent_by_compiled_code(way, before, mock):
    batch = sample_batch(VISIT, 300)
    with open_sink(f"kafka://{mock}?prefix={way}.&enqueue={way}") as sink:
        sink.open([VISIT], sample_run())
        sink.prepare([batch])
        encoded = []
        inner, sink._encode = sink._encode, lambda group: encoded.append(group) or inner(group)
        sink.write(batch)
        sink.commit(batch.until)
        assert (encoded == []) is before
    assert sink.report.total == 300


def test_sizes_and_tombstones_are_counted_without_loading_what_else_reads_arrays():
    code = """if True:
        import sys
        from sinks.kafka.messages import Messages
        listed = Messages("t", -1, [b"four", None, b"", b"five!"], [b"k"] * 4, [1] * 4, mourned=True)
        assert (listed.bytes, listed.graves, "pandas" in sys.modules) == (9, 1, False)
        whole = listed.columned()
        assert (whole.bytes, whole.graves) == (9, 1)
        assert (whole.listed().bytes, whole.rows(1, 2).bytes) == (9, 0)"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
