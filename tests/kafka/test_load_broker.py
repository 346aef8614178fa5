"""Load tests of a real broker."""

import json

import pytest
from commands import SMALL, invoke

from tests.kafka.reading import read


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("load") / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def load(small, url, *words):
    done = invoke("load", small, "--to", url, "--json", "--no-progress", *words)
    return done, json.loads(done.stdout)


def test_latencies_come_from_the_broker_and_every_fact_is_there(small, address, prefix):
    done, report = load(small, f"kafka://{address}?prefix={prefix}", "--rate", "2k/s", "--duration", "3s")
    assert done.exit_code == 0
    records = [record for topic in ("customer", "order") for record in read(address, prefix + topic)]
    assert len(records) == report["sent"] == report["acknowledged"] == report["read_back"] >= 6000
    assert report["errors"] == report["unsent"] == 0
    assert all(dict(record.headers())["due"].isdigit() for record in records)
    # What is read back was acknowledged, or about to be; nothing is faster than the schedule.
    for kind in ("ack", "e2e"):
        assert report[kind]["facts"] == pytest.approx(5400, rel=0.05)
        assert report[kind]["p50_s"] >= report["lag"]["p50_s"]


def test_linger_is_seen_in_the_acknowledgements(small, address, prefix):
    url = f"kafka://{address}?prefix={prefix}"
    words = ("--rate", "500/s", "--duration", "3s", "--no-consume")
    _, prompt = load(small, url, *words, "-X", "linger.ms=0")
    _, slow = load(small, url, *words, "-X", "linger.ms=600")
    assert slow["ack"]["p50_s"] >= prompt["ack"]["p50_s"] + 0.15
    assert slow["e2e"] is None


def test_facts_in_transactions_are_acknowledged_when_they_are_committed(small, address, prefix):
    url = f"kafka://{address}?prefix={prefix}&exactly_once=true"
    _, report = load(small, url, "--rate", "500/s", "--duration", "2s")
    assert report["sent"] == report["acknowledged"] >= 1000
    assert report["ack"]["samples"] == report["ack"]["facts"]
    assert report["e2e"]["p50_s"] > 0


def test_another_topic_can_be_read_back(small, address, prefix):
    url = f"kafka://{address}?prefix={prefix}"
    load(small, url, "--rate", "100/s", "--duration", "1s")
    _, report = load(small, url, "--rate", "500/s", "--duration", "2s", "--topic", f"{prefix}customer")
    assert 0 < report["read_back"] < report["sent"]


def test_the_search_finds_a_rate_that_the_broker_carries(small, address, prefix):
    url = f"kafka://{address}?prefix={prefix}"
    words = ("--find-limit", "--rate", "500/s", "--at-most", "1k/s", "--duration", "2s")
    done, report = load(small, url, *words, "--fail-if", "achieved < 50% offered")
    assert done.exit_code == 0
    assert [step["rate_per_s"] for step in report["steps"]] == [500, 1000]
    assert report["limit"]["carried_per_s"] == 1000
    assert report["sent"] >= 2000
