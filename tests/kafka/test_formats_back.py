"""Every format in every envelope through a real broker and a real registry, and back: graded, and replayed."""

from __future__ import annotations

import json

import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

from sim.cli.main import app
from sinks.envelopes import ENVELOPES
from tests.kafka.reading import read

FORMS = ("json", "avro", "protobuf", "jsonschema")
PAIRS = [(form, name) for form in FORMS for name, kind in ENVELOPES.items() if not kind.formats or form in kind.formats]
DAMAGE = {"json": ["missing_field", "wrong_type", "truncated", "bad_utf8"]}
FRAMED = ["missing_field", "truncated", "wrong_schema_id"]
PLAN = {"type": "choice", "values": ["free", "pro"], "changes": {"every": {"type": "exponential", "mean": "4d"}}}
WORLD = {
    "name": "world",
    "start": "2024-01-01",
    "end": "2024-01-11",
    "entities": {"user": {"initial": {"count": 60}, "attributes": {"city": {"type": "faker", "provider": "city"}}}},
    "streams": {
        "act": {
            "entity": "user",
            "rate": "3/day",
            "attributes": {
                "amount": {"type": "normal", "mean": 9, "sd": 3},
                "seen": {"type": "datetime"},
                "words": {"type": "array", "count": {"type": "poisson", "mean": 1}, "of": {"type": "uuid"}},
                "added": {"type": "choice", "values": ["a", "b"], "added": "2024-01-06"},
            },
        }
    },
}


def faults(form):
    return {
        "act": {
            "bound": "3h",
            "late": {"probability": "10%", "delay": {"type": "lognormal", "median": "10min", "sigma": 1}},
            "duplicates": {"probability": "2%", "after": "5min"},
            "drops": "1%",
            "corrupt": {"probability": "5%", "kinds": DAMAGE.get(form, FRAMED)},
        }
    }


def command(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code in ((code,) if isinstance(code, int) else code), done.stderr
    return done


def url_of(address, registry, prefix, form, envelope, **options):
    more = {"format": form, "envelope": envelope, **options}
    if form != "json":
        more["registry"] = registry
    return f"kafka://{address}?prefix={prefix}" + "".join(f"&{name}={value}" for name, value in more.items())


def scenario(folder, **more):
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(WORLD | more))
    return path


def findings(said):
    return {
        kind: found for kind, found in said["streams"]["act"].items() if isinstance(found, dict) and "found" in found
    }


@pytest.mark.parametrize(("form", "envelope"), PAIRS)
def test_faults_are_found_again_and_nothing_else(form, envelope, address, registry, prefix, tmp_path):
    world, ledger = scenario(tmp_path, faults=faults(form)), tmp_path / "ledger"
    url = url_of(address, registry, prefix, form, envelope)
    command("run", world, "--to", url, "-q", "--ledger", ledger)
    said = json.loads(command("verify", world, "--from", url, "--ledger", ledger, "--json", code=(0, 1)).stdout)
    found = findings(said)
    assert [kind for kind, one in found.items() if one["found"] > one["explained"]] == []
    assert said["sound"]
    assert min(found[kind]["found"] for kind in ("lost", "duplicated", "changed", "unreadable", "out_of_order")) > 1


@pytest.mark.parametrize("form", FORMS)
def test_what_somebody_else_sends_is_found(form, address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    url = url_of(address, registry, prefix, form, "plain")
    command("run", world, "--to", url, "-q")
    assert json.loads(command("verify", world, "--from", url, "--expect", "ideal", "--json").stdout)["sound"]
    first = read(address, f"{prefix}act")[0]
    producer = Producer({"bootstrap.servers": address})
    for value in (b"no fact", first.value()):
        producer.produce(f"{prefix}act", value, first.key(), first.partition(), timestamp=first.timestamp()[1])
    assert producer.flush(10) == 0
    found = findings(json.loads(command("verify", world, "--from", url, "--json", code=1).stdout))
    counts = {kind: one["found"] for kind, one in found.items() if one["found"]}
    assert (counts["unreadable"], counts["duplicated"], "lost" in counts) == (1, 1, False)


def appended(address, topic):
    """A topic whose broker says when it got each message."""
    asked = NewTopic(topic, 2, 1, config={"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([asked])[topic].result(10)


def test_latencies_are_from_when_facts_were_due_to_when_the_broker_got_them(address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    url = url_of(address, registry, prefix, "avro", "plain", headers="due")
    appended(address, f"{prefix}act")
    command("run", world, "--to", url, "-q", "--rate", "5k/s")
    words = ("verify", world, "--from", url, "--stream", "act", "--json", "--arrived", "broker")
    since_due, since_event = (
        json.loads(command(*words, *more).stdout)["streams"]["act"]["latency"] for more in (("--since", "due"), ())
    )
    assert 0 <= since_due["p50_s"] <= since_due["max_s"] < 3600
    assert since_event["p50_s"] > 1_000_000


def test_a_topic_that_does_not_know_when_messages_came_is_told(address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    url = url_of(address, registry, prefix, "json", "plain")
    command("run", world, "--to", url, "-q")
    done = command("verify", world, "--from", url, "--arrived", "broker", code=2)
    assert "has the times of its producers, not those of the broker" in done.stderr


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("format=arvo", "did you mean 'avro'"),
        ("format=csv", "'csv' is not allowed"),
        ("format=avro&envelope=cloudevents", "cloudevents is not written as avro"),
        ("registry=http://x", "json has no schema"),
        ("format=jsonschema", "registry=URL, which is missing"),
        ("format=avro&schema=nowhere.avsc", "schema=nowhere.avsc: No such file"),
        ("form=avro", "did you mean 'format'"),
    ],
)
def test_options_that_make_no_sense_are_refused(query, text, tmp_path):
    done = command("verify", scenario(tmp_path), "--from", f"kafka://h:1?{query}", code=2)
    assert text in done.stderr


def test_a_schema_of_another_format_is_told(address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    command("run", world, "--to", url_of(address, registry, prefix, "avro", "plain"), "-q")
    other = url_of(address, registry, prefix, "protobuf", "plain")
    done = command("verify", world, "--from", other, code=3)
    assert "is of the language AVRO, and format=protobuf" in done.stderr


def test_a_registry_that_does_not_answer_is_told(address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    command("run", world, "--to", url_of(address, registry, prefix, "avro", "plain"), "-q")
    done = command("verify", world, "--from", url_of(address, "http://127.0.0.1:1", prefix, "avro", "plain"), code=3)
    assert "the registry does not answer" in done.stderr
