"""A broker that is not there yet, or away for a while; several processes at one set of topics; history, then live."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict

import pytest
from commands import SMALL, start, wait_for
from confluent_kafka import Consumer, KafkaError, KafkaException

import sim
from sim.errors import SinkError
from sinks import open_sink
from sinks.kafka import checkpoints
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream
from tests.kafka.broker import Broker
from tests.kafka.proxy import Proxy
from tests.kafka.reading import committed, written

OUTAGE = float(os.environ.get("DATAGEN_TEST_OUTAGE", "6"))
"""Seconds without a broker; by hand, a minute."""

KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "2"))
"""How often a run is killed; by hand, a hundred times."""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("count: 500", "count: 1000"))
    return str(path)


def facts_of(address, topic):
    return [json.loads(record.value()) for record in committed(address, topic)]


def assert_one_run(address, prefix, small, overrides=None):
    """Every fact is there once, in order per key."""
    model = sim.compile_scenario(sim.load(small, overrides or {}))
    for name, table in sim.to_arrow(sim.simulate(model)).items():
        facts = facts_of(address, prefix + name)
        assert sorted(fact[f"{name}_id"] for fact in facts) == sorted(table[f"{name}_id"].to_pylist())
        by_key = defaultdict(list)
        for fact in facts:
            by_key[fact["customer_id"]].append((fact["event_time"], fact[f"{name}_id"]))
        assert all(places == sorted(places) for places in by_key.values())


def told(process):
    """The events of a run that has ended well, in order, progress left out."""
    stderr = process.communicate(timeout=180)[1]
    assert process.returncode == 0, stderr
    entries = [json.loads(line) for line in stderr.splitlines()]
    return [entry["event"] for entry in entries if entry["event"] not in ("progress", "warning")], entries


@pytest.mark.parametrize("once", ["false", "true"])
def test_a_broker_that_comes_later_is_waited_for(once, small, prefix):
    with Broker() as broker:
        broker.kill()
        to = f"kafka://{broker.address}?prefix={prefix}&partitions=2&exactly_once={once}"
        process = start("run", small, "--to", to, "--log-format", "json")
        time.sleep(OUTAGE)
        assert process.poll() is None
        broker.start()
        events, _ = told(process)
        assert events[0] == "start"
        assert "waiting" in events
        assert events[-2:] == ["going_on", "end"]
        assert_one_run(broker.address, prefix, small)


def test_a_broker_that_is_away_for_a_while_costs_nothing_without_transactions_either(small, prefix):
    with Broker() as broker:
        to = f"kafka://{broker.address}?prefix={prefix}&partitions=3"
        process = start("run", small, "--to", to, "--rate", "2k/s", "--log-format", "json")
        wait_for(lambda: written(broker.address, f"{prefix}order"))
        broker.kill()
        time.sleep(OUTAGE)
        assert process.poll() is None
        broker.start()
        events, entries = told(process)
        assert (events[0], events[-2:]) == ("start", ["going_on", "end"])
        assert "waiting" in events
        assert entries[-1]["acknowledged"] == entries[-1]["facts"]
        assert_one_run(broker.address, prefix, small)


def test_whoever_reads_topics_waits_for_a_broker_that_is_away(small, prefix):
    with Broker() as broker:
        to = f"kafka://{broker.address}?prefix={prefix}&partitions=2"
        assert start("run", small, "--to", to, "-q").wait(120) == 0
        broker.kill()
        readers = [start("verify", small, "--from", f"{to}&timeout=2min", "--expect", "ideal", "--log-format", "json")]
        readers.append(
            start(
                "replay",
                f"kafka://{broker.address}/{prefix}order?timeout=2min",
                "--to",
                "null:",
                "--log-format",
                "json",
            )
        )
        time.sleep(OUTAGE)
        assert [process.poll() for process in readers] == [None, None]
        broker.start()
        for process in readers:
            assert {"waiting", "going_on"} <= set(told(process)[0])


def test_a_run_that_waits_for_its_broker_in_the_middle_can_be_ended_and_gone_on_with(small, prefix):
    with Broker() as broker:
        to = f"kafka://{broker.address}?prefix={prefix}&partitions=2&exactly_once=true"
        process = start("run", small, "--to", to, "--rate", "2k/s", "-q")
        wait_for(lambda: written(broker.address, f"{prefix}order"))
        broker.kill()
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=60)[1]
        assert process.returncode == 143, stderr
        broker.start()
        assert start("run", small, "--to", to, "--resume", "-q").wait(120) == 0
        assert_one_run(broker.address, prefix, small)


@pytest.mark.parametrize("after", [False, True], ids=["request", "answer"])
def test_connections_that_are_lost_while_topics_are_created_are_made_again(after, own_broker, prefix):
    stream, names = simple_stream(), [f"{prefix}{name}".encode() for name in ("visit", "checkpoints")]
    to = f"kafka://127.0.0.1:{own_broker.front}?prefix={prefix}&checkpoints={prefix}checkpoints&exactly_once=true"
    with Proxy(own_broker.front, own_broker.hidden, words=(names[0], names[0], names[1]), after=after) as proxy:
        sink = open_sink(f"{to}&partitions=3")
        sink.open([stream], sample_run())
        assert proxy.cuts == 3
        assert sink._client.partitions == {f"{prefix}visit": 3}
        sink.write(sample_batch(stream, 50))
        sink.commit(START + SPAN)
        assert sink.close().acknowledged == 50
    found = committed(own_broker.address, f"{prefix}visit")
    assert len(found) == 50
    assert {one.partition() for one in found} == {0, 1, 2}


def test_brokers_that_are_away_while_checkpoints_are_looked_for_are_asked_again(address, prefix, monkeypatch):
    class Shaky(Consumer):
        left = 2

        def list_topics(self, *words, **options):
            Shaky.left -= 1
            if Shaky.left >= 0:
                raise KafkaException(KafkaError(KafkaError._TRANSPORT))
            return super().list_topics(*words, **options)

    stream, run = simple_stream(), sample_run()
    to = f"kafka://{address}?prefix={prefix}&checkpoints={prefix}checkpoints&exactly_once=true"
    sink = open_sink(to)
    sink.open([stream], run)
    sink.write(sample_batch(stream, 50))
    sink.commit(START + SPAN)
    sink.close()
    monkeypatch.setattr(checkpoints, "Consumer", Shaky)
    again = open_sink(to)
    past = again.last_run(run.scenario)
    assert (past.start, past.end) == (run.start, run.end)
    assert Shaky.left < 0
    Shaky.left = 2
    again.open([stream], run, resume=True)
    assert again.resumed == {stream.name: 50}
    again.close()


@pytest.mark.parametrize("once", ["false", "true"])
def test_processes_that_start_at_once_share_a_run(once, small, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&partitions=3&exactly_once={once}"
    crew = [
        start("run", small, "--to", to, "--shard", f"{number}/3", "--json", "--no-progress") for number in (1, 2, 3)
    ]
    ends = [(*process.communicate(timeout=120), process.returncode) for process in crew]
    assert [code for *_, code in ends] == [0, 0, 0], ends
    assert all(json.loads(stdout)["facts"] > 1000 for stdout, *_ in ends)
    assert_one_run(address, prefix, small)


def test_a_shard_that_is_killed_goes_on_by_itself(small, address, prefix):
    to, chance = f"kafka://{address}?prefix={prefix}&partitions=3&exactly_once=true", random.Random(3)
    words = ("run", small, "--to", to, "--rate", "3k/s", "--resume", "--json", "--no-progress")
    crew = [start(*words, "--shard", f"{number}/3") for number in (1, 2, 3)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(1, 4))
        os.killpg(crew[1].pid, signal.SIGKILL)
        crew[1].communicate()
        crew[1] = start(*words, "--shard", "2/3")
    ends = [(*process.communicate(timeout=120), process.returncode) for process in crew]
    assert [code for *_, code in ends] == [0, 0, 0], ends
    assert_one_run(address, prefix, small)


def killed_somewhen(words, chance, most):
    process = start(*words)
    try:
        return process.wait(chance.uniform(1.5, most))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None


@pytest.mark.parametrize("history", ["parquet", "kafka"])
def test_history_and_live_topics_are_whole_however_often_the_run_is_killed(history, small, address, prefix, tmp_path):
    chance, lasts = random.Random(len(history)), 5 * KILLS + 10
    topics = f"kafka://{address}?prefix={prefix}&partitions=2&exactly_once=true"
    to = topics if history == "kafka" else f"parquet:{tmp_path / 'lake'}?roll_time=1d"
    words = ("run", small, "--start", "now-10d", "--end", f"now+{lasts}s", "--set", "streams.order.rate=3/h")
    words = (*words, "--to", to, "--then-live", topics, "--resume", "--json", "--no-progress")
    ends = [killed_somewhen(words, chance, 5) for _ in range(KILLS)]
    assert None in ends
    stdout, stderr = (last := start(*words)).communicate(timeout=180)
    assert last.returncode == 0, stderr
    said = json.loads(stdout)
    overrides = {"start": said["start"], "end": said["live"]["end"], "streams.order.rate": "3/h"}
    seam = said["end"]
    assert seam == said["live"]["start"]
    if history == "kafka":
        assert_one_run(address, prefix, small, overrides)
        return
    live = facts_of(address, f"{prefix}order")
    whole = sim.to_arrow(sim.simulate(sim.compile_scenario(sim.load(small, overrides))))["order"].to_pylist()
    expected = [row["order_id"] for row in whole if f"{row['event_time']:%Y-%m-%dT%H:%M:%S.%fZ}" >= seam]
    assert sorted(fact["order_id"] for fact in live) == sorted(expected)
    assert said["live"]["facts"] + said["live"]["resumed"] == len(expected) + len(
        facts_of(address, f"{prefix}customer")
    )


def test_a_topic_that_is_deleted_in_the_middle_is_told(small, address, prefix):
    from confluent_kafka.admin import AdminClient

    process = start("run", small, "--to", f"kafka://{address}?prefix={prefix}", "--rate", "500/s", "-q")
    admin = AdminClient({"bootstrap.servers": address})
    wait_for(lambda: f"{prefix}order" in admin.list_topics(timeout=10).topics)
    time.sleep(2)
    admin.delete_topics([f"{prefix}order"])[f"{prefix}order"].result(10)
    stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, f"{prefix}order" in stderr) == (4, True), stderr


def test_a_newer_process_locks_an_older_one_out_which_says_so_and_ends(address, prefix):
    stream = simple_stream()
    older, newer = (open_sink(f"kafka://{address}?prefix={prefix}&exactly_once=true") for _ in range(2))
    for sink in (older, newer):
        sink.open([stream], sample_run())
        sink.write(sample_batch(stream, 50))
    with pytest.raises(SinkError, match="fenced"):
        older.commit(START + SPAN)
    older.close()
    newer.commit(START + SPAN)
    assert newer.close().acknowledged == 50
    assert len(committed(address, f"{prefix}visit")) == 50
