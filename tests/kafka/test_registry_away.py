"""A registry that is not there yet, goes away, or never comes."""

from __future__ import annotations

import json
import signal
import struct
import time

import pytest
from commands import SMALL, start, wait_for
from confluent_kafka.admin import AdminClient

from tests.kafka.reading import read
from tests.kafka.registry import Registry

COLOUR = """
      colour: {type: choice, values: [red, blue], added: 2023-01-20}
"""


@pytest.fixture
def evolving(tmp_path):
    """A scenario whose orders have another version from the twentieth on."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("count: 500", "count: 100").rstrip() + COLOUR)
    return str(path)


def told(process):
    """What a run says, event by event, and how it ends."""
    stderr = process.communicate(timeout=120)[1]
    entries = [json.loads(line) for line in stderr.splitlines()]
    return process.returncode, [entry for entry in entries if entry["event"] not in ("progress", "warning")]


def numbers(address, topic):
    """The numbers of the schemas of a topic's messages."""
    return {struct.unpack(">I", record.value()[1:5])[0] for record in read(address, topic)}


def test_a_registry_that_comes_late_is_waited_for_and_may_go_once_the_run_has_begun(evolving, address, prefix):
    registry = Registry()
    to = f"kafka://{address}?prefix={prefix}&format=avro&registry={registry.url}&timeout=2min"
    process = start("run", evolving, "--to", to, "--rate", "400/s", "--log-format", "json")
    time.sleep(4)
    assert process.poll() is None
    with registry:
        wait_for(lambda: f"{prefix}order" in AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics)
    code, entries = told(process)
    assert [entry["event"] for entry in entries] == ["start", "waiting", "going_on", "end"]
    assert "waiting for the schema registry since" in entries[1]["message"]
    assert (code, len(numbers(address, f"{prefix}order"))) == (0, 2)


def test_a_run_ends_with_the_reason_where_no_registry_comes(evolving, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&format=avro&registry=http://127.0.0.1:1&timeout=3s"
    code, entries = told(start("run", evolving, "--to", to, "--log-format", "json"))
    assert [entry["event"] for entry in entries][-2:] == ["waiting", "error"]
    assert "the registry does not answer" in entries[-1]["message"]
    assert (code, entries[-1]["exit_code"]) == (3, 3)


def test_a_run_that_waits_for_its_registry_can_be_ended(evolving, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&format=avro&registry=http://127.0.0.1:1"
    process = start("run", evolving, "--to", to, "-q")
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130, stderr


def test_readers_wait_for_the_registry_of_the_messages_too(evolving, address, prefix, registry):
    to = f"kafka://{address}?prefix={prefix}&format=avro&registry="
    assert start("run", evolving, "--to", to + registry, "-q", "--ledger", f"{evolving}.ledger").wait(60) == 0
    words = ("verify", evolving, "--ledger", f"{evolving}.ledger", "--json", "--from")
    process = start(*words, f"{to}http://127.0.0.1:1&timeout=3s")
    stderr = process.communicate(timeout=60)[1]
    assert "waiting for the schema registry" in stderr
    assert (process.returncode, "the registry does not answer" in stderr) == (3, True)
