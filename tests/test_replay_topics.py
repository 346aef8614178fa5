"""Topics with JSON values as recordings; the client library's mock cluster is the broker."""

from __future__ import annotations

import json

import pytest
from commands import SMALL, invoke
from confluent_kafka import Producer

from sinks.kafka.mock import MockBroker

NOON = 1_700_000_000_000


@pytest.fixture(scope="module")
def broker():
    with MockBroker() as running:
        yield running.address


def send(broker, topic, messages, stamp=None):
    """Values, or (key, value), one millisecond apart; put into partitions by turns."""
    producer = Producer({"bootstrap.servers": broker})
    for number, message in enumerate(messages):
        key, value = message if isinstance(message, tuple) else (None, message)
        text = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        producer.produce(topic, text, key, number % 4, timestamp=NOON + (stamp[number] if stamp else number))
    assert producer.flush(10) == 0


def replay(broker, topic, *words):
    result = invoke("replay", f"kafka://{broker}/{topic}", "-q", *words)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_run_that_went_to_topics_comes_back_as_it_was(broker, tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL.replace("02-01", "01-04"))
    scenario = str(tmp_path / "small.yaml")
    assert invoke("run", scenario, "--to", f"kafka://{broker}", "-q").exit_code == 0
    printed = invoke("run", scenario, "-q").stdout
    assert invoke("replay", f"kafka://{broker}/customer,order", "-q").stdout == printed
    moved = replay(broker, "customer,order", "--at", "2030-01-01", "--amplify", "2")
    assert len(moved) == 2 * len(printed.splitlines())
    assert {fact["born_at"][:4] for fact in moved if fact["stream"] == "customer"} == {"2030"}


def test_messages_of_all_partitions_are_in_order_of_their_timestamps(broker):
    stamps = [(number * 7919) % 1000 for number in range(1000)]
    send(broker, "shuffled", [{"n": number} for number in range(1000)], stamps)
    facts = replay(broker, "shuffled")
    assert [stamps[fact["n"]] for fact in facts] == list(range(1000))
    assert len({fact["replay_id"] for fact in facts}) == 1000
    assert replay(broker, "shuffled") == facts


@pytest.mark.parametrize(("member", "unit"), [("at", ":ms"), ("text", "")])
def test_a_member_may_say_when_it_happened(broker, member, unit):
    values = [{"at": NOON + 1000 * (5 - n), "text": f"2023-11-14T22:13:{25 - n}+00:00"} for n in range(5)]
    send(broker, f"clock-{member}", values)
    facts = replay(broker, f"clock-{member}", "--time", f"{member}{unit}", "--at", "2023-11-14T22:14:21Z")
    assert [fact["event_time"] for fact in facts] == [f"2023-11-14T22:14:2{n}.000000Z" for n in range(1, 6)]
    moved = [NOON + 61_000 + 1000 * n for n in range(5)]
    expected = {"at": moved, "text": [f"2023-11-14T22:14:2{n}.000000Z" for n in range(1, 6)]}
    assert [fact[member] for fact in facts] == expected[member]


def test_the_member_that_equals_the_keys_is_the_key(broker):
    send(broker, "keyed", [(f"c{n % 3}", {"n": n, "who": f"c{n % 3}", "once": "c0"}) for n in range(9)])
    facts = replay(broker, "keyed", "--amplify", "2")
    assert list(facts[0]) == ["stream", "event_time", "replay_id", "n", "who", "once"]
    assert {fact["who"] for fact in facts} == {"c0", "c1", "c2", "c0~1", "c1~1", "c2~1"}
    assert {fact["once"] for fact in facts} == {"c0"}


def test_keys_that_are_nowhere_in_the_values_get_a_column(broker):
    send(broker, "beside", [(f"c{n % 3}", {"n": n}) for n in range(9)])
    assert [fact["record_key"] for fact in replay(broker, "beside")] == [f"c{n % 3}" for n in range(9)]


def test_keys_that_are_no_text_are_shown_in_hexadecimal(broker):
    send(broker, "binary", [(b"\xff\x01", {"n": 1})])
    assert replay(broker, "binary")[0]["record_key"] == "ff01"


def test_ids_are_found_by_their_name(broker):
    send(broker, "shop.order", [{"order_id": 100 - n} for n in range(4)])
    assert [list(fact) for fact in replay(broker, "shop.order")] == [["stream", "event_time", "order_id"]] * 4
    send(broker, "visit", [{"visit_id": 1}, {"visit_id": None}])
    assert all("replay_id" in fact for fact in replay(broker, "visit"))


def test_values_of_different_shapes_are_read_together(broker):
    values = [{"a": 1}, {"a": 2.5, "n": {"x": [1]}}, {"b": "é", "a": None}, {"b": 5}, {"big": 2**63 + 1}, {}]
    send(broker, "mixed", values)
    facts = replay(broker, "mixed")
    assert [fact["a"] for fact in facts] == [1.0, 2.5, None, None, None, None]
    assert [fact["b"] for fact in facts] == [None, None, "é", "5", None, None]
    assert facts[1]["n"] == {"x": [1]}
    assert facts[4]["big"] == 2**63 + 1


def test_records_without_a_value_are_left_out_and_told(broker):
    send(broker, "deleted", [("k", {"a": 1}), ("k", None)])
    result = invoke("replay", f"kafka://{broker}/deleted", "--to", "null:", "--json")
    assert json.loads(result.stdout)["facts"] == 1
    assert "1 records without a value" in result.stderr


@pytest.mark.parametrize(
    ("topic", "value", "words", "text"),
    [
        ("nojson", b"nope", (), "offset 0: 'nope' is not a JSON object"),
        ("number", 5, (), "offset 0: '5' is not a JSON object"),
        ("bytes", b"\xff", (), "not UTF-8"),
        ("notime", {"ts": None}, ("--time", "ts"), "ts is null"),
        ("badtime", {"ts": "soon"}, ("--time", "ts"), "not an instant in ISO 8601"),
        ("nokey", {"ts": 1}, ("--key", "who"), "no message has 'who'"),
        ("huge", {"n": 10**25}, (), "do not fit into 64 bits"),
    ],
)
def test_messages_that_cannot_be_replayed_are_named(broker, topic, value, words, text):
    send(broker, topic, [value])
    result = invoke("replay", f"kafka://{broker}/{topic}", *words)
    assert (result.exit_code, text in result.stderr, topic in result.stderr) == (2, True, True), result.stderr


def test_the_bad_one_of_many_messages_is_named(broker):
    send(broker, "many", [{"n": n} if n != 1201 else b"{" for n in range(2000)])
    assert "many: partition 1, offset 300: '{'" in invoke("replay", f"kafka://{broker}/many").stderr


@pytest.mark.parametrize(
    ("place", "code", "text"),
    [
        ("/many,mny", 2, "did you mean 'many'"),
        ("/many,many", 2, "named twice"),
        ("/", 2, "which topics?"),
        ("/many?fom=now", 2, "did you mean 'from'"),
        ("/many?from=later", 2, "from="),
        ("/many?timeout=never", 2, "timeout"),
    ],
)
def test_topics_that_are_not_there_are_told(broker, place, code, text):
    send(broker, "many", [])
    result = invoke("replay", f"kafka://{broker}{place}")
    assert (result.exit_code, len(result.stderr.splitlines()), text in result.stderr) == (code, 1, True), result.stderr


def test_a_broker_that_does_not_answer_is_told():
    result = invoke("replay", "kafka://127.0.0.1:1/order?timeout=1s")
    assert (result.exit_code, "Connection refused" in result.stderr) == (3, True)
