"""`datagen report`: a page with the charts that an analyst would draw of a data set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.terminal import logs
from sim.cli.terminal.options import End, LogFormat, Override, Quiet, Start
from sim.cli.terminal.progress import aside
from sim.cli.terminal.values import parse_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.pages.page import Page


def report(
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
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file.")] = Path("report.html"),
    png: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Every chart as a picture of its own, too.", show_default=False)
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="KEY=VALUE", help="A setting of the Kafka client. Repeatable.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Draw what is in data: one HTML file that needs nothing else, light and dark, to read, print or send.

    \b
      datagen report out
      datagen report parquet:out --scenario shop.yaml --out shop.html --png charts
      datagen report kafka://localhost:9092/order,customer

    Volume, value and trends; week and day; growth and adoption; cohorts; segments; states and survival; processes;
    resources; the distribution of every attribute; relations and a dictionary. The scenario gives words, segments and
    the time zone; other data than datagen's are read by the names and types of their columns, in UTC.
    """
    from sim.cli.recorded.datasets import declared_streams, opened
    from sim.cli.recorded.origins import changes, origin
    from sim.quality.report.report import report as made

    overrides = changes(scenario, override, start, end)
    streams, settings = declared_streams(data, scenario, overrides), parse_pairs("-X", setting or [])
    with aside("report", quiet) as tell:
        with opened(data, settings, streams, tell) as dataset:
            without = "it has no segments, words and time zone" if dataset.manifest else None
            known = origin(dataset.manifest, scenario, overrides, quiet, without)
            page = made(dataset, known, lambda name, done, total: tell(name))
        page.write(out, lambda done, total: tell(f"chart {done} of {total}"))
        if png is not None:
            _pictures(page, png, tell)
    if not quiet:
        charts = sum(1 for _ in page.charts())
        typer.echo(f"{out}: {charts} charts in {len(page.sections)} sections, {out.stat().st_size / 1e6:.1f} MB")


def _pictures(page: Page, folder: Path, tell: Callable[[str], None]) -> None:
    """Every chart as PNG, named by its place and its title."""
    from sim.pages.chart import Chart

    folder.mkdir(parents=True, exist_ok=True)
    for place, chart in enumerate(page.charts(), 1):
        if isinstance(chart, Chart):
            name = re.sub(r"[^a-z0-9]+", "-", chart.title.lower()).strip("-")[:60]
            tell(f"picture {place}")
            chart.png(folder / f"{place:03d}-{name}.png")
