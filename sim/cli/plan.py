"""`datagen plan`: what a run would produce, before anything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from sim.cli import when
from sim.cli.options import AsJson, End, Override, Scenario, Start
from sim.cli.show import instant, iso, short, size, stdout
from sim.cli.values import parse_overrides

if TYPE_CHECKING:
    from rich.table import Table

    from sim.engine.forecast import Forecast
    from sim.model.model import Model


def plan(
    scenario: Scenario,
    start: Start = None,
    end: End = None,
    override: Override = None,
    json: AsJson = False,
) -> None:
    """Say what a run would produce, before anything runs.

    \b
      datagen plan storefront
      datagen plan storefront --set streams.order.rate=10/month --json

    Shown are facts, peak rates, bytes, memory, tick and order of causes. Facts are expected values. The tick is the
    span of simulated time that is filled at once; "order" says what runs after what inside a tick, so that effects
    follow their causes.
    """
    from sim.cli.job import Job
    from sim.engine.forecast import forecast

    model = Job(scenario, parse_overrides(override or [], **when.interval(start, end))).model()
    expected = forecast(model)
    if json:
        typer.echo(as_json(model, expected))
        return
    console = stdout()
    console.print(f"{model.name}: {instant(model.start)} until {instant(model.end)}, UTC", markup=False)
    console.print(table(expected))
    for line in lines(expected):
        console.print(line, markup=False, soft_wrap=True)


def table(expected: Forecast) -> Table:
    """Facts, peak rate and bytes of every stream."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = sum(stream.bytes for stream in expected.streams)
    for name, footer in (
        ("stream", "total"),
        ("facts", _count(expected.facts)),
        ("peak/s", ""),
        ("bytes", size(total)),
    ):
        found.add_column(name, footer, justify="left" if name == "stream" else "right")
    for stream in expected.streams:
        found.add_row(stream.name, _count(stream.facts), short(stream.peak_per_s), size(stream.bytes))
    return found


def lines(expected: Forecast) -> list[str]:
    """Memory, tick and windows, then the order of causes."""
    from sim.maths.units import format_duration

    windows = f"{expected.windows:,} windows of {format_duration(expected.tick)}"
    head = f"memory {size(expected.memory_bytes)}; {windows}; {expected.blocks:,} blocks"
    return [head, "order inside a tick:", *(f"  {line}" for line in expected.order)]


def as_json(model: Model, expected: Forecast) -> str:
    """The same as one JSON object; times in ISO 8601, the tick in seconds."""
    streams: list[dict[str, Any]] = [
        {"name": s.name, "facts": round(s.facts), "peak_per_s": s.peak_per_s, "bytes": round(s.bytes)}
        for s in expected.streams
    ]
    return json.dumps(
        {
            "scenario": model.name,
            "digest": model.digest,
            "start": iso(model.start),
            "end": iso(model.end),
            "facts": round(expected.facts),
            "streams": streams,
            "memory_bytes": round(expected.memory_bytes),
            "tick_s": expected.tick / 1e6,
            "windows": expected.windows,
            "blocks": expected.blocks,
            "order": list(expected.order),
        }
    )


def _count(facts: float) -> str:
    return f"{round(facts):,}"
