"""Replays that were broken off are gone on with: every fact once, as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import time

import polars as pl
import pytest
from commands import SMALL, invoke, start, wait_for
from confluent_kafka import Producer

from sinks.kafka.mock import MockBroker

NOON = 1_700_000_000_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a recording in Parquet, and one in CSV."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "small.yaml").write_text(SMALL)
    for kind in ("parquet", "csv"):
        to = f"{kind}:{folder / kind}?roll_time=3d"
        assert invoke("run", str(folder / "small.yaml"), "--to", to, "-q").exit_code == 0
    return folder


def facts(folder, stream="order"):
    """The facts of a stream, in the order of the files."""
    return pl.concat([pl.read_parquet(path) for path in sorted((folder / stream).glob("*.parquet"))])


def replay(source, to, *words, code=0):
    done = invoke("replay", source, "--to", to, *words)
    assert done.exit_code == code, done.stderr
    return done


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_replay_goes_on_where_it_was_broken_off(kind, recorded, tmp_path):
    source, ways = (
        f"{kind}:{recorded / kind}",
        ("--at", "2030-01-01", "--amplify", "2", "--jitter", "1h", "--loop", "2"),
    )
    replay(source, f"parquet:{tmp_path / 'whole'}", "-q", *ways)
    broken = f"parquet:{tmp_path / 'broken'}?roll_time=1d"
    replay(source, broken, "-q", "--limit", "9000", *ways)
    said = json.loads(replay(source, broken, "--json", "--no-progress", "--resume", *ways).stdout)
    assert said["resumed"] > 0
    for stream in ("customer", "order"):
        assert facts(tmp_path / "broken", stream).equals(facts(tmp_path / "whole", stream))


def test_a_replay_that_was_killed_at_any_moment_is_gone_on_with(recorded, tmp_path):
    chance, to = random.Random(7), f"parquet:{tmp_path / 'out'}?roll_time=1d"
    words = ("replay", f"parquet:{recorded / 'parquet'}", "--to", to, "-q", "--rate", "6k/s", "--resume")
    for _ in range(3):
        process = start(*words)
        wait_for((tmp_path / "out" / "manifest.json").exists)
        time.sleep(chance.uniform(0.1, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert invoke(*words[:-3], "--resume").exit_code == 0
    assert facts(tmp_path / "out").equals(facts(recorded / "parquet"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--at", "2031-01-01"), "start is"),
        (("--amplify", "3"), "of a replay: what and how"),
        (("--stream", "order"), "of a replay: what and how"),
        (("--at", "now"), "now is another instant in every process"),
    ],
)
def test_another_replay_is_not_gone_on_with(words, message, recorded, tmp_path):
    source, to = f"parquet:{recorded / 'parquet'}", f"parquet:{tmp_path / 'out'}"
    replay(source, to, "-q", "--limit", "5000")
    code = 2 if "now" in words else 3
    assert message in replay(source, to, "-q", "--resume", *words, code=code).stderr


def test_a_sink_that_cannot_be_gone_on_with_says_so(recorded):
    assert "--resume: stdout:" in replay(f"parquet:{recorded / 'parquet'}", "stdout:", "--resume", code=2).stderr


@pytest.fixture(scope="module")
def broker():
    with MockBroker() as running:
        yield running.address


def send(broker, topic, numbers):
    producer = Producer({"bootstrap.servers": broker})
    for number in numbers:
        producer.produce(topic, json.dumps({"n": number}).encode(), str(number), number % 4, timestamp=NOON + number)
    assert producer.flush(10) == 0


def test_a_topic_is_read_once_more_to_where_it_ended_then(broker, tmp_path):
    send(broker, "growing", range(2000))
    source, to = f"kafka://{broker}/growing", f"parquet:{tmp_path / 'out'}?roll_time=1s"
    replay(source, to, "-q", "--limit", "700")
    send(broker, "growing", range(1000, 3000))
    replay(source, to, "-q", "--resume")
    assert facts(tmp_path / "out", "growing")["n"].to_list() == list(range(2000))


def test_a_topic_that_has_lost_records_since_is_told(broker, tmp_path):
    send(broker, "shrunk", range(100))
    source, to = f"kafka://{broker}/shrunk", f"parquet:{tmp_path / 'out'}"
    replay(source, to, "-q", "--limit", "10")
    manifest = tmp_path / "out" / "manifest.json"
    document = json.loads(manifest.read_text())
    origin = [[topic, number, first, end + 5] for topic, number, first, end in json.loads(document["origin"])]
    manifest.write_text(json.dumps(document | {"origin": json.dumps(origin)}))
    said = replay(source, to, "-q", "--resume", code=2).stderr
    assert "was begun with the records from 0 on and before 30 of shrunk, partition 0, which has those from 0" in said
