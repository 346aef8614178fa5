"""`datagen preview`: the first rows of one stream as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.terminal import when
from sim.cli.terminal.options import End, Override, Scenario, Seed, Start
from sim.cli.terminal.values import parse_overrides
from sim.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.batch import Batch, Stream

MAX_ROWS = 10_000


def preview(
    scenario: Scenario,
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="A stream of the scenario.", show_default=False)],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=MAX_ROWS, help="How many.")] = 10,
    seed: Seed = None,
    start: Start = None,
    end: End = None,
    override: Override = None,
) -> None:
    """Show the first rows of one stream, as a run would write them.

    \b
      datagen preview storefront order
      datagen preview storefront customer --rows 3
    """
    from rich import box
    from rich.table import Table

    from sim.cli.jobs.job import Job
    from sim.cli.terminal.show import stdout

    job = Job(scenario, parse_overrides(override or [], **when.interval(start, end)), seed)
    model = job.model()
    chosen = find_stream(model.streams, stream)
    table = Table(*chosen.schema.names, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in first_rows(job.batches(model), chosen, rows):
        table.add_row(*(cell(value) for value in row.values()))
    stdout().print(table)


def find_stream(streams: Iterable[Stream], name: str) -> Stream:
    """The stream of that name; ParameterError with the names that there are."""
    from sinks.words import nearest

    known = {stream.name: stream for stream in streams}
    if name not in known:
        raise ParameterError(f"{name!r} is not a stream of this scenario{nearest(name, known)}")
    return known[name]


def first_rows(batches: Iterable[Batch], stream: Stream, count: int) -> list[dict[str, Any]]:
    """The first facts of a stream as dicts; simulates no further than needed."""
    rows: list[dict[str, Any]] = []
    for batch in batches:
        if batch.stream.name == stream.name:
            rows += batch.data.slice(0, count - len(rows)).to_pylist()
        if len(rows) >= count:
            break
    return rows


def cell(value: Any) -> str:
    """A value as text: times in ISO 8601 without the offset, nulls empty, markup escaped."""
    from datetime import datetime

    from rich.markup import escape

    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))
