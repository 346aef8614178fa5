"""Who may do what: every way to say who one is, what is said where that is not enough, and that secrets stay secret."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from commands import SMALL, start, wait_for
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic
from confluent_kafka.admin import ResourcePatternType as Pattern
from confluent_kafka.admin import ResourceType as Kind

from tests.kafka.broker import GUEST, GUESTS, PASSWORD, USER
from tests.kafka.reading import committed, read
from tests.kafka.tokens import provider

SECRET = "provider-secret-not-to-be-printed"
SHORT = ("--end", "2023-01-03")


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def settings(values):
    return [word for name, value in values.items() for word in ("-X", f"{name}={value}")]


def run(*words):
    process = start("run", *words, "--no-progress")
    stdout, stderr = process.communicate(timeout=90)
    return process.returncode, stdout, stderr


def by_password(mechanism, user=USER, password=PASSWORD, protocol="SASL_PLAINTEXT"):
    names = ("security.protocol", "sasl.mechanisms", "sasl.username", "sasl.password")
    return dict(zip(names, (protocol, mechanism, user, password), strict=True))


def arrives(broker, place, given, small, prefix, more=""):
    to = f"kafka://{place}?prefix={prefix}{more}"
    code, stdout, stderr = run(small, *SHORT, "--to", to, *settings(given), "--json")
    assert code == 0, stderr
    assert len(committed(broker.address, f"{prefix}order")) == json.loads(stdout)["streams"]["order"] > 100


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_user_has_a_password(mechanism, own_broker, small, prefix):
    arrives(own_broker, own_broker.sasl, by_password(mechanism), small, prefix)


def test_a_password_may_travel_encrypted(own_broker, small, prefix):
    given = by_password("SCRAM-SHA-512", protocol="SASL_SSL")
    arrives(own_broker, own_broker.both, given | {"ssl.ca.location": own_broker.certificate}, small, prefix)


def test_a_broker_whose_certificate_is_unknown_is_not_trusted(own_broker, small, prefix):
    given = by_password("SCRAM-SHA-512", protocol="SASL_SSL")
    code, _, stderr = run(small, "--to", f"kafka://{own_broker.both}?prefix={prefix}", *settings(given))
    assert (code, "certificate" in stderr) == (3, True), stderr


BEARER = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "OAUTHBEARER"}


def test_a_token_may_be_made_by_the_client_for_brokers_that_take_it(own_broker, small, prefix):
    own = {"enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": f"principal={USER}"}
    arrives(own_broker, own_broker.sasl, BEARER | own, small, prefix)


def by_provider(url, secret=SECRET):
    client = {"sasl.oauthbearer.client.id": USER, "sasl.oauthbearer.client.secret": secret}
    return BEARER | client | {"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.token.endpoint.url": url}


@pytest.mark.parametrize("once", ["false", "true"])
def test_a_token_may_come_from_an_identity_provider(once, own_broker, small, prefix):
    with provider(USER, SECRET) as url:
        more = f"&exactly_once={once}&partitions=1"
        arrives(own_broker, own_broker.sasl, by_provider(url), small, prefix, more)


def test_a_provider_that_gives_no_token_is_told(own_broker, small, prefix):
    with provider(USER, SECRET) as url:
        to = f"kafka://{own_broker.sasl}?prefix={prefix}&timeout=8s"
        code, stdout, stderr = run(small, "--to", to, *settings(by_provider(url, "wrong-secret")))
    assert (code, "token" in stderr) == (3, True), stderr
    assert "wrong-secret" not in stdout + stderr


def allow(broker, kind, name, *operations):
    rules = [
        AclBinding(kind, name, Pattern.LITERAL, f"User:{GUEST}", "*", operation, AclPermissionType.ALLOW)
        for operation in operations
    ]
    admin = AdminClient({"bootstrap.servers": broker.address})
    for done in admin.create_acls(rules).values():
        done.result(10)


def as_guest(broker, small, prefix, *more):
    to = f"kafka://{broker.sasl}?prefix={prefix}{''.join(more)}"
    code, _, stderr = run(small, *SHORT, "--to", to, *settings(by_password("PLAIN", GUEST, GUESTS)))
    assert "Traceback" not in stderr
    return code, stderr.splitlines()[-1]


def create(broker, prefix):
    topics = [f"{prefix}{name}" for name in ("customer", "order")]
    admin = AdminClient({"bootstrap.servers": broker.address})
    for done in admin.create_topics([NewTopic(name, 1, config={"retention.ms": "-1"}) for name in topics]).values():
        done.result(10)
    return topics


def test_who_may_not_create_topics_is_told_which(own_broker, small, prefix):
    code, said = as_guest(own_broker, small, prefix)
    assert (code, f"topic '{prefix}" in said, "cannot be created" in said) == (3, True, True), said
    assert "uthorization failed" in said


def test_who_may_see_a_topic_and_not_write_is_told_so_and_nothing_is_written(own_broker, small, prefix):
    customer, order = create(own_broker, prefix)
    allow(own_broker, Kind.TOPIC, order, AclOperation.DESCRIBE)
    allow(own_broker, Kind.TOPIC, customer, AclOperation.DESCRIBE, AclOperation.WRITE)
    code, said = as_guest(own_broker, small, prefix)
    assert (code, f"topic '{order}': Broker: Topic authorization failed" in said) == (4, True), said
    assert read(own_broker.address, order) == []


def test_who_may_not_write_anything_is_told_so(own_broker, small, prefix):
    for topic in create(own_broker, prefix):
        allow(own_broker, Kind.TOPIC, topic, AclOperation.DESCRIBE)
    code, said = as_guest(own_broker, small, prefix)
    assert (code, "facts were not acknowledged" in said, "uthorization failed" in said) == (4, True, True), said


def test_who_may_write_needs_no_more(own_broker, small, prefix):
    for topic in create(own_broker, prefix):
        allow(own_broker, Kind.TOPIC, topic, AclOperation.DESCRIBE, AclOperation.WRITE)
    assert as_guest(own_broker, small, prefix)[0] == 0
    assert len(read(own_broker.address, f"{prefix}order")) > 100


def test_transactions_need_a_right_of_their_own(own_broker, small, prefix):
    for topic in [*create(own_broker, prefix), "datagen.checkpoints"]:
        allow(own_broker, Kind.TOPIC, topic, AclOperation.DESCRIBE, AclOperation.WRITE, AclOperation.READ)
    code, said = as_guest(own_broker, small, prefix, "&exactly_once=true")
    assert (code, "uthorization failed" in said) == (3, True), said


def everything(address, folder, process, port):
    """All that a run lets others see: messages, metrics, files and its checkpoints."""
    seen = []
    while process.poll() is None:
        for path in ("metrics", "healthz", "readyz"):
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/{path}", timeout=1) as answer:
                seen.append(answer.read())
    seen += [text.encode() for text in process.communicate(timeout=60)]
    seen += [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    consumer = Consumer({"bootstrap.servers": address, "group.id": "tests", "enable.partition.eof": True})
    consumer.assign([TopicPartition("datagen.checkpoints", 0, OFFSET_BEGINNING)])
    wait_for(lambda: [seen.append((r.value() or b"") + (r.key() or b"")) for r in consumer.consume(1000, 2)])
    consumer.close()
    return seen


@pytest.mark.parametrize("password", [PASSWORD, "wrong-and-never-to-be-printed"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_nowhere(password, form, own_broker, small, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("BROKER_PASSWORD", password)
    Path(small).write_text(SMALL + "\nfaults:\n  order: {drops: 1%}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    to = f"kafka://{own_broker.sasl}?prefix={prefix}&exactly_once=true"
    given = by_password("SCRAM-SHA-512", password="${BROKER_PASSWORD}")
    out = tmp_path / "out"
    process = start("run", small, *SHORT, "--to", to, *settings(given), "--ledger", str(out / "ledger"), "--json",
                    "--log-format", form, "--rate", "1k/s", "--metrics-port", str(port))  # fmt: skip
    seen = everything(own_broker.address, out, process, port)
    assert process.returncode == (0 if password == PASSWORD else 3)
    assert any(b"small" in text for text in seen)
    assert [text for text in seen if password.encode() in text] == []
