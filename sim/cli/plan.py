"""`datagen plan`: what a run would produce, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli import when
from sim.cli.options import AsJson, End, Override, Scenario, Start
from sim.cli.values import parse_overrides

Chart = Annotated[bool, typer.Option("--chart", help="Draw facts and living entities by month in the terminal.")]
Months = Annotated[bool, typer.Option("--months", help="Show the facts of every month.")]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller pilots: faster, with wider intervals.")]
Report = Annotated[
    Path | None, typer.Option(metavar="FILE.html", help="Write it as an HTML page, too.", show_default=False)
]


def plan(
    scenario: Scenario,
    start: Start = None,
    end: End = None,
    override: Override = None,
    months: Months = False,
    chart: Chart = False,
    report: Report = None,
    quick: Quick = False,
    json: AsJson = False,
) -> None:
    """Say what a run would produce, before anything runs.

    \b
      datagen plan storefront
      datagen plan storefront --set streams.order.rate=10/month --json
      datagen plan storefront --chart --report plan.html

    Shown are facts and living entities with 95% intervals, which hold whatever the seed, peak rates, bytes by kind of
    output, time and memory on this machine, tick and order of causes. The tick is the span of simulated time that is
    filled at once; "order" says what runs after what inside a tick, so that effects follow their causes.
    """
    from sim.cli import outlook, outlook_chart, outlook_page
    from sim.cli.job import Job
    from sim.cli.show import instant, stdout
    from sim.cli.weighing import weigh
    from sim.engine.forecast import forecast

    model = Job(scenario, parse_overrides(override or [], **when.interval(start, end))).model()
    expected = forecast(model, quick=quick)
    weights = weigh(model.streams, expected)
    if report is not None:
        outlook_page.page(model, expected, weights).write(report)
    if json:
        typer.echo(outlook.as_json(model, expected, weights))
        return
    console = stdout()
    console.print(f"{model.name}: {instant(model.start)} until {instant(model.end)}, UTC", markup=False)
    tables = [outlook.table(expected), outlook.alive_table(expected), outlook.weight_table(weights)]
    for shown in [*tables, *([outlook.month_table(expected)] if months else [])]:
        console.print(shown)
    for line in (outlook.NOTE, *outlook.pace_lines(expected, weights), *outlook.lines(expected)):
        console.print(line, markup=False, soft_wrap=True)
    for text in outlook_chart.charts(expected, model.start) if chart else ():
        console.print(f"\n{text}", markup=False, soft_wrap=True)
