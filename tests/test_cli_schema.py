"""`datagen schema`: the schemas of facts, as the Kafka sink registers them."""

import json

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sinks.envelopes import ENVELOPES
from sinks.formats import find
from sinks.kafka.values import Style
from sinks.run import Run


def run(*words):
    return CliRunner().invoke(app, ["schema", *words], catch_exceptions=False)


def printed(*words):
    done = run(*words)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def styled(stream, form, envelope="plain"):
    model = sim.compile_scenario(sim.load("storefront"))
    (found,) = (one for one in model.streams if one.name == stream)
    facts = Run(model.name, model.digest, model.seed, model.start, model.end)
    return Style(find(form), ENVELOPES[envelope]).versions(found, facts)[0].format


@pytest.mark.parametrize(("form", "envelope"), [("avro", "debezium"), ("jsonschema", "cloudevents"), ("avro", "plain")])
def test_it_prints_what_the_sink_registers(form, envelope):
    found = json.loads(printed("storefront", "order", "--format", form, "--envelope", envelope))
    assert found == json.loads(styled("order", form, envelope).schema)


def test_protobuf_is_printed_as_a_file():
    assert printed("storefront", "order", "--format", "protobuf").strip() == styled("order", "protobuf").schema.strip()


def test_a_key_has_a_schema_too():
    key = json.loads(printed("storefront", "order", "--key", "--namespace", "a.b"))
    assert (key["namespace"], key["name"]) == ("a.b.order", "Key")
    assert [field["name"] for field in key["fields"]] == ["customer_id"]


def test_versions_are_counted_from_one_and_the_last_is_the_default():
    words = ("storefront", "order", "--set", "streams.order.attributes.payment.added=2024-01-01")
    first, second, last = (printed(*words, *more) for more in (("--version", "1"), ("--version", "2"), ()))
    assert last == second
    names = [{field["name"] for field in json.loads(text)["fields"]} for text in (first, second)]
    assert names[1] - names[0] == {"payment"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("storefront",), "which stream of storefront? datagen schema storefront STREAM"),
        (("storefront", "ordr"), "'ordr' is not a stream of this scenario; did you mean 'order'?"),
        (("storefront", "order", "--format", "arvo"), "'arvo' is not a format with a schema; did you mean 'avro'?"),
        (("storefront", "order", "--envelope", "plane"), "'plane' is not an envelope; did you mean 'plain'?"),
        (("storefront", "order", "--envelope", "cloudevents"), "cloudevents cannot be written as avro"),
        (("storefront", "order", "--version", "2"), "--version 2: stream 'order' has 1 within the scenario"),
        (("storefront", "order", "--namespace", "a-b"), "namespace: 'a-b' must be names joined by dots"),
    ],
)
def test_what_makes_no_sense_is_refused(words, message):
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
