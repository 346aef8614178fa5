"""`datagen schema`: the schema of the scenario language, or of what a stream's facts look like in a format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.terminal.options import Override
from sim.cli.terminal.values import parse_overrides
from sim.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.formats import Format


Of = Annotated[
    str | None, typer.Argument(metavar="SCENARIO", help="A scenario, for the schema of its facts.", show_default=False)
]
Which = Annotated[str | None, typer.Argument(metavar="STREAM", help="Which of its streams.", show_default=False)]
Version = Annotated[
    int | None,
    typer.Option(min=1, help="Which version of a stream whose columns come and go; else the last.", show_default=False),
]


def schema(
    scenario: Of = None,
    stream: Which = None,
    form: Annotated[str, typer.Option("--format", help="avro, protobuf or jsonschema.")] = "avro",
    envelope: Annotated[str, typer.Option(help="What stands around the fact: plain, cloudevents, debezium.")] = "plain",
    namespace: Annotated[str, typer.Option(help="What names of types begin with, if not datagen.SCENARIO.")] = "",
    key: Annotated[bool, typer.Option("--key", help="The schema of the key instead.")] = False,
    version: Version = None,
    references: Annotated[
        bool, typer.Option("--references", help="All that references=true registers, one JSON object a schema.")
    ] = False,
    override: Override = None,
) -> None:
    """Print the JSON Schema of the scenario language, or the schema of a stream's facts.

    Editors use the first for completion and checks; the second is what `format=` and `registry=` of the Kafka sink
    register, so that it can be registered beforehand.

    \b
      datagen schema > datagen.schema.json
      datagen schema storefront order --format avro
      datagen schema storefront order --format protobuf --envelope debezium

    Put this into the first line of a scenario: # yaml-language-server: $schema=datagen.schema.json
    """
    if scenario is None:
        from sim.scenario.json_schema import json_schema

        typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if stream is None:
        raise ParameterError(f"which stream of {scenario}? datagen schema {scenario} STREAM")
    made = _formats(scenario, stream, form, envelope, namespace, key, override or [])
    if version is not None and version > len(made):
        raise ParameterError(f"--version {version}: stream {stream!r} has {len(made)} within the scenario")
    chosen = made[(version or len(made)) - 1]
    if references:
        for line in _pieces(chosen):
            typer.echo(line)
        return
    text = chosen.schema
    typer.echo(json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text.startswith("{") else text.rstrip())


def _pieces(form: Format) -> Iterator[str]:
    """What has to be registered, in this order: the types under their names, at last the schema that refers to them."""
    *inner, own = form.pieces
    for piece in (*inner, own):
        subject = {} if piece is own else {"subject": piece.name}
        body = {"schemaType": form.language, "schema": piece.text, "references": list(piece.needs)}
        yield json.dumps(subject | body, ensure_ascii=False)


def _formats(
    scenario: str, stream: str, form: str, envelope: str, namespace: str, key: bool, override: list[str]
) -> list[Format]:
    """The format of each version of the stream's values, or that of its keys."""
    from sim.cli.jobs.job import Job
    from sim.cli.preview import find_stream
    from sinks import formats
    from sinks.envelopes import ENVELOPES
    from sinks.kafka.values import Style
    from sinks.run import Run
    from sinks.words import nearest

    able = [name for name in formats.names() if formats.find(name).language]
    if form not in able:
        raise ParameterError(f"--format {form}: {form!r} is not a format with a schema{nearest(form, able)}")
    if envelope not in ENVELOPES:
        raise ParameterError(f"--envelope {envelope}: {envelope!r} is not an envelope{nearest(envelope, ENVELOPES)}")
    style = Style(formats.find(form), ENVELOPES[envelope], namespace)
    model = Job(scenario, parse_overrides(override)).model()
    run = Run(model.name, model.digest, model.seed, model.start, model.end)
    found = find_stream(model.streams, stream)
    return [style.key(found, run)] if key else [version.format for version in style.versions(found, run)]
