"""`datagen check`: whether data is sound, and whether it behaves as its scenario declares."""

from __future__ import annotations

import json as encoder
from dataclasses import asdict
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.terminal import logs
from sim.cli.terminal.options import AsJson, End, LogFormat, Override, Quiet, Start
from sim.cli.terminal.progress import aside
from sim.cli.terminal.values import parse_pairs

if TYPE_CHECKING:
    from sim.quality.checks.scope import Scope
    from sim.quality.finding import Finding
    from sim.quality.score import Verdict


class Only(StrEnum):
    """A section of the checks."""

    STRUCTURE = "structure"
    VALUES = "values"
    BEHAVIOUR = "behaviour"


def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="DIR, FILE, parquet:DIR, csv:DIR, json:DIR, or kafka://HOST:PORT[/TOPIC,TOPIC][?format=avro...].",
            show_default=False,
        ),
    ],
    scenario: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="What the facts came from.", show_default="what the manifest names"),
    ] = None,
    start: Start = None,
    end: End = None,
    override: Override = None,
    only: Annotated[
        list[Only] | None, typer.Option(help="Only this section. Repeatable.", show_default="all sections")
    ] = None,
    alpha: Annotated[
        float, typer.Option(min=1e-12, max=0.5, help="Probability of any false alarm among all statistical checks.")
    ] = 0.01,
    fail_under: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Exit code 1 below this score, not where a check fails.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as an HTML page.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List what holds and what cannot be measured, too.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="KEY=VALUE", help="A setting of the Kafka client. Repeatable.", show_default=False),
    ] = None,
    json: AsJson = False,
    quiet: Quiet = False,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Say whether data is sound, and whether it behaves as its scenario declares.

    \b
      datagen check out
      datagen check parquet:out --scenario shop.yaml --report check.html
      datagen check csv:out --only structure --json
      datagen check kafka://localhost:9092 --scenario shop.yaml --fail-under 95

    Structure: files, types, nulls, keys, references, order, paths. Values: ranges, categories, distributions, and what
    the scenario expects. Behaviour: what it declares, against what is measured. Without a scenario, only what the
    manifest and the names of columns tell. Exit code 0 where all holds, 1 where something does not.
    """
    from sim.cli.recorded.datasets import declared_streams, opened
    from sim.cli.recorded.origins import changes, origin
    from sim.quality.check import findings
    from sim.quality.checks.scope import Scope
    from sim.quality.finding import SECTIONS
    from sim.quality.score import grade

    overrides = changes(scenario, override, start, end)
    streams, settings = declared_streams(data, scenario, overrides), parse_pairs("-X", setting or [])
    with aside("checking", quiet) as tell, opened(data, settings, streams, tell) as dataset:
        known = origin(dataset.manifest, scenario, overrides, quiet, "they are held against none")
        scope = Scope(dataset, known, tell)
        verdict = grade(findings(scope, [section for section in SECTIONS if not only or section in only]), alpha)
        if report is not None:
            from sim.quality.pages import page

            page(scope, verdict).write(report)
    if json:
        typer.echo(encoder.dumps(document(verdict, scope)))
    elif not quiet:
        _print(verdict, everything)
    passed = verdict.sound if fail_under is None else (verdict.total or 0.0) >= fail_under
    raise typer.Exit(0 if passed else 1)


def document(verdict: Verdict, scope: Scope) -> dict[str, Any]:
    """All findings for machines."""
    from sim.quality.score import WEIGHTS

    return {
        "sound": verdict.sound,
        "score": verdict.total,
        "sections": dict(verdict.sections),
        "weights": {section: WEIGHTS[section] for section in verdict.sections},
        "alpha": verdict.alpha,
        "data": scope.dataset.url,
        "scenario": scope.declared.scenario.name if scope.declared else None,
        "findings": [_object(finding) for finding in verdict.findings],
    }


def _object(finding: Finding) -> dict[str, Any]:
    """A finding as plain values; what is not finite is null, as JSON has no word for it."""
    values = asdict(finding)
    return {key: None if isinstance(own, float) and not isfinite(own) else own for key, own in values.items()}


def _print(verdict: Verdict, everything: bool) -> None:
    from sim.cli.terminal.findings import lines, table
    from sim.cli.terminal.show import stdout

    console = stdout()
    console.print(table(verdict))
    for line in lines(verdict, everything):
        console.print(line, markup=False, soft_wrap=True)
