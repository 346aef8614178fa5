"""`datagen plan`: what a run would produce, before anything runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.terminal import when
from sim.cli.terminal.options import AsJson, End, Override, Scenario, Start
from sim.cli.terminal.values import parse_overrides

Chart = Annotated[bool, typer.Option("--chart", help="Draw facts and living entities by month in the terminal.")]
Months = Annotated[bool, typer.Option("--months", help="Show facts, living entities and states of every month.")]
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
    began = time.process_time()
    from sim.cli.jobs.job import Job
    from sim.cli.outlook import chart as drawing
    from sim.cli.outlook import page, tables
    from sim.cli.outlook.weighing import weigh
    from sim.cli.terminal.show import instant, stdout
    from sim.engine.forecast import forecast

    model = Job(scenario, parse_overrides(override or [], **when.interval(start, end))).model()
    start_s = time.process_time() - began  # a run has to load and compile as much
    expected = forecast(model, quick=quick)
    weights = weigh(model.streams, expected, start_s)
    if report is not None:
        page.page(model, expected, weights).write(report)
    if json:
        typer.echo(tables.as_json(model, expected, weights))
        return
    console = stdout()
    console.print(f"{model.name}: {instant(model.start)} until {instant(model.end)}, UTC", markup=False)
    shown = [tables.table(expected), tables.alive_table(expected), tables.weight_table(weights)]
    if months:
        shown += [tables.month_table(expected), *tables.living_tables(expected)]
    for table in shown:
        console.print(table)
    for line in (tables.NOTE, *tables.pace_lines(expected, weights), *tables.lines(expected)):
        console.print(line, markup=False, soft_wrap=True)
    for text in drawing.charts(model, expected) if chart else ():
        console.print(f"\n{text}", markup=False, soft_wrap=True)
