"""`datagen scenarios`, `datagen validate`: what there is to run, and whether a file can be."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sim.cli.terminal.options import Override, Scenario
from sim.cli.terminal.values import parse_overrides


def scenarios(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array for machines instead of a table.")] = False,
) -> None:
    """List the scenarios that come with datagen.

    \b
      datagen scenarios
      datagen run storefront --limit 3
    """
    from sim.scenario.bundled import bundled
    from sim.scenario.loader import load

    found = [(name, load(name)) for name in bundled()]
    if as_json:
        typer.echo(json.dumps([{"name": name, "description": loaded.description} for name, loaded in found]))
        return
    from rich.table import Table

    from sim.cli.terminal.show import stdout

    table = Table("scenario", "what is in it", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, loaded in found:
        table.add_row(name, loaded.description.strip())
    stdout().print(table)


def validate(scenario: Scenario, override: Override = None) -> None:
    """Check a scenario and say all that is wrong with it.

    Every problem is one line on stderr, with file and line, path, value and what is allowed; the exit code is then 2.

    \b
      datagen validate storefront
      datagen validate my.yaml --set entities.customer.initial.count=10
    """
    from sim.cli.jobs.job import Job

    model = Job(scenario, parse_overrides(override or [])).model()
    names = ", ".join(stream.name for stream in model.streams)
    typer.echo(f"{scenario}: valid; {len(model.streams)} streams: {names}")
