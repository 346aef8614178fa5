"""Every format in every envelope through a real broker and a real registry, and back: graded, and replayed."""

from __future__ import annotations

import json

import polars as pl
import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

from sim.cli.main import app
from sinks.envelopes import ENVELOPES
from tests.kafka.reading import read

FORMS = ("json", "avro", "protobuf", "jsonschema", "csv")
PAIRS = [(form, name) for form in FORMS for name, kind in ENVELOPES.items() if not kind.formats or form in kind.formats]
FRAMED = ["missing_field", "truncated", "oversize", "wrong_schema_id"]
TEXT = ["missing_field", "truncated", "oversize", "wrong_type", "bad_utf8"]
DAMAGE = {"json": TEXT, "jsonschema": [*TEXT, "wrong_schema_id"], "csv": ["missing_field", "truncated"]}
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
    if form not in ("json", "csv"):
        more["registry"] = registry
    return f"kafka://{address}?prefix={prefix}" + "".join(f"&{name}={value}" for name, value in more.items())


def scenario(folder, **more):
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(WORLD | more, sort_keys=False))
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


def replay_url(address, registry, topics, **options):
    more = options | ({"registry": registry} if options.get("format", "json") != "json" else {})
    return f"kafka://{address}/{','.join(topics)}?" + "&".join(f"{name}={value}" for name, value in more.items())


def facts(folder, stream):
    return pl.read_parquet(folder / stream / "*.parquet")


@pytest.mark.parametrize(("form", "envelope"), [pair for pair in PAIRS if pair[0] != "csv"])
def test_a_replay_gives_the_facts_of_the_run(form, envelope, address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    command("run", world, "--to", f"parquet:{tmp_path / 'run'}", "-q")
    command("run", world, "--to", url_of(address, registry, prefix, form, envelope), "-q")
    source = replay_url(address, registry, (f"{prefix}user", f"{prefix}act"), format=form, envelope=envelope)
    command("replay", source, "--to", f"parquet:{tmp_path / 'again'}", "-q")
    for stream in ("user", "act"):
        before, after = facts(tmp_path / "run", stream), facts(tmp_path / "again", f"{prefix}{stream}")
        assert after.columns == before.columns
        assert after.cast(before.schema).equals(before)


@pytest.mark.parametrize("form", ["avro", "protobuf"])
def test_bare_messages_are_read_by_a_schema_in_a_file(form, address, registry, prefix, tmp_path):
    world, file = scenario(tmp_path), tmp_path / "act.schema"
    file.write_text(command("schema", world, "act", "--format", form, "--version", 2).stdout)
    words = ("--start", "2024-01-06")
    command("run", world, "--to", f"kafka://{address}?prefix={prefix}&format={form}", "-q")
    source = f"kafka://{address}/{prefix}act?format={form}&schema={file}&from=2024-01-06"
    command("replay", source, "--to", f"csv:{tmp_path / 'again'}", "-q")
    command("run", world, "--to", f"kafka://{address}?prefix={prefix}json.", "-q")
    command("replay", f"kafka://{address}/{prefix}json.act", *words, "--to", f"csv:{tmp_path / 'plain'}", "-q")
    again, plain = (pl.read_csv(tmp_path / name / "*act" / "*.csv") for name in ("again", "plain"))
    assert again.equals(plain.select(again.columns))


@pytest.mark.parametrize("form", ["avro", "protobuf", "jsonschema", "json"])
def test_keys_that_are_records_are_found_in_the_facts(form, address, registry, prefix, tmp_path):
    options = {"format": "avro", "key.format": form}
    command(
        "run",
        scenario(tmp_path),
        "--to",
        url_of(address, registry, prefix, envelope="plain", form="avro") + f"&key.format={form}",
        "-q",
    )
    source = replay_url(address, registry, (f"{prefix}act",), **options)
    command("replay", source, "--to", f"parquet:{tmp_path / 'again'}", "-q", "--amplify", 2)
    again = facts(tmp_path / "again", f"{prefix}act")
    assert again["user_id"].n_unique() == 2 * again.filter(pl.col("user_id") < 1000)["user_id"].n_unique()


@pytest.mark.parametrize("form", FORMS[:-1])
def test_records_that_cannot_be_read_are_named_or_skipped(form, address, registry, prefix, tmp_path):
    command("run", scenario(tmp_path), "--to", url_of(address, registry, prefix, form, "plain"), "-q")
    producer = Producer({"bootstrap.servers": address})
    producer.produce(f"{prefix}act", b"nonsense", partition=0)
    assert producer.flush(10) == 0
    count = len(read(address, f"{prefix}act"))
    source = replay_url(address, registry, (f"{prefix}act",), format=form)
    assert f"partition 0, offset {count - 1:,}: " in command("replay", source, "--to", "null:", code=2).stderr
    done = command("replay", f"{source}&unreadable=skip", "--to", "null:", "--json")
    assert json.loads(done.stdout)["facts"] == count - 1
    assert "1 records that cannot be read are left out" in done.stderr


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("format=avro", "give registry=URL or schema=FILE"),
        ("format=xml", "'xml' is not allowed"),
        ("format=csv", "lines do not say which columns they have"),
        ("key.format=avro", "give registry=URL or schema=FILE"),
        ("schema=x.avsc", "json has no schema"),
        ("unreadable=drop", "option unreadable: 'drop' is not allowed"),
    ],
)
def test_options_of_a_replay_that_make_no_sense_are_refused(query, text, address, prefix):
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(f"{prefix}t", 1, 1)])[f"{prefix}t"].result(10)
    assert text in command("replay", f"kafka://{address}/{prefix}t?{query}", code=2).stderr


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("format=arvo", "did you mean 'avro'"),
        ("format=csv&envelope=debezium", "debezium is not written as csv"),
        ("format=csv&registry=http://x", "csv has no schema"),
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
    done = command(
        "verify", world, "--from", url_of(address, "http://127.0.0.1:1", prefix, "avro", "plain", timeout="1s"), code=3
    )
    assert "the registry does not answer" in done.stderr


@pytest.mark.parametrize(
    ("form", "envelope"), [("avro", "plain"), ("protobuf", "debezium"), ("json", "cloudevents"), ("csv", "plain")]
)
def test_topics_of_any_format_are_checked_as_files_are(form, envelope, address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    command("run", world, "--to", f"parquet:{tmp_path / 'run'}", "-q")
    command("run", world, "--to", url_of(address, registry, prefix, form, envelope), "-q")
    words = ("--scenario", world, "--only", "structure", "--json", "-q")
    topics = url_of(address, registry, prefix, form, envelope)
    files, read_back = (json.loads(command("check", data, *words).stdout) for data in (tmp_path / "run", topics))
    counts = [{(one["name"], one["subject"]): one["passed"] for one in said["findings"]} for said in (files, read_back)]
    assert counts[1].items() <= counts[0].items()
    assert len(counts[1]) > 5


def test_a_replay_from_topic_to_topic_is_gone_on_with_exactly_once(address, registry, prefix, tmp_path):
    world = scenario(tmp_path)
    command("run", world, "--to", url_of(address, registry, prefix, "avro", "plain"), "-q")
    source = replay_url(address, registry, (f"{prefix}act",), format="avro")
    once = url_of(address, registry, f"{prefix}o.", "avro", "plain", exactly_once="true", checkpoints=f"{prefix}c")
    command("replay", source, "--to", once, "-q", "--limit", 700, "--resume")
    command("run", world, "--seed", 5, "--to", url_of(address, registry, prefix, "avro", "plain"), "-q")
    said = json.loads(command("replay", source, "--to", once, "--json", "--no-progress", "--resume").stdout)
    assert said["resumed"] == 700
    command(
        "replay",
        replay_url(address, registry, (f"{prefix}o.{prefix}act",), format="avro"),
        "--to",
        f"parquet:{tmp_path / 'back'}",
        "-q",
    )
    command("run", world, "--to", f"parquet:{tmp_path / 'run'}", "-q")
    again = facts(tmp_path / "back", f"{prefix}o.{prefix}act")
    expected = facts(tmp_path / "run", "act")
    assert again.select(expected.columns).cast(expected.schema).equals(expected)
