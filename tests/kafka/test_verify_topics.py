"""Faults on a real broker: what is injected arrives so, and verify finds that and nothing else."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from confluent_kafka import Producer
from injections import FAULTS, SHOWN, counted, emptied, faulty
from injections import verdict as injected
from typer.testing import CliRunner

from sim.cli.main import app
from tests.kafka.reading import read

SOUND = re.compile(rb'{"act_id":\d+,[ -~]*"amount":\d+}')
LATE = {"type": "lognormal", "median": "10min", "sigma": 1}
WORLD = {
    "name": "world",
    "start": "2024-01-01",
    "end": "2024-01-20",
    "entities": {"user": {"initial": {"count": 200}}},
    "streams": {"act": {"entity": "user", "rate": "3/day", "attributes": {"amount": {"type": "poisson", "mean": 9}}}},
    "faults": {
        "act": {
            "bound": "3h",
            "late": {"probability": "10%", "delay": LATE},
            "duplicates": {"probability": "2%", "after": "5min"},
            "drops": "1%",
            "hot_keys": {"share": "3%"},
            "corrupt": {"probability": "2%", "kinds": ["missing_field", "wrong_type", "truncated", "bad_utf8"]},
        }
    },
}


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def topic(address, prefix, tmp_path):
    """The URL of topics into which a run with faults went; its scenario and ledger are in the test's folder."""
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(WORLD))
    url = f"kafka://{address}?prefix={prefix}&topic={{stream}}"
    done = command("run", tmp_path / "world.yaml", "--to", f"{url}&partitions=3", "-q", "--ledger", tmp_path / "ledger")
    assert done.exit_code == 0, done.stderr
    return url


def verdict(url, folder):
    done = command("verify", folder / "world.yaml", "--from", url, "--ledger", folder / "ledger", "--json")
    return done.exit_code, json.loads(done.stdout)["streams"]["act"]


def test_what_was_injected_is_all_that_differs(topic, tmp_path):
    code, audit = verdict(topic, tmp_path)
    assert code == 0
    assert min(audit[kind]["found"] for kind in ("lost", "duplicated", "changed", "out_of_order", "unreadable")) > 20


def test_what_somebody_else_sends_is_found(topic, address, prefix, tmp_path):
    sound = [record for record in read(address, f"{prefix}act") if SOUND.fullmatch(record.value())]
    producer = Producer({"bootstrap.servers": address})
    producer.produce(f"{prefix}act", b"no fact", sound[0].key(), partition=0)
    producer.produce(f"{prefix}act", sound[0].value(), sound[0].key(), partition=sound[0].partition())
    producer.flush(10)
    code, audit = verdict(topic, tmp_path)
    assert code == 1
    assert audit["unreadable"]["found"] == audit["unreadable"]["explained"] + 1
    assert audit["duplicated"]["found"] == audit["duplicated"]["explained"] + 1


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_is_found_exactly_and_refused_where_nobody_has_declared_it(
    kind, address, registry, prefix, tmp_path
):
    world, ledger = faulty(tmp_path, kind), tmp_path / "ledger"
    form = f"&format=avro&registry={registry}" if kind == "wrong_schema_id" else ""
    url = f"kafka://{address}?prefix={prefix}{form}"
    assert command("run", world, "--to", f"{url}&partitions=3", "-q", "--ledger", ledger).exit_code == 0
    code, unseen, found = injected(world, url, ledger)
    shown = SHOWN.get(kind, "unreadable")
    assert (code, unseen, set(found) <= {shown, "lost", "out_of_order", "windows"}) == (0, 0, True)
    assert kind == "late" or found[shown]["found"] == counted(ledger) > 20
    code, _, found = injected(world, url, emptied(ledger))
    assert (code, found[shown]["explained"]) == (1, 0)
