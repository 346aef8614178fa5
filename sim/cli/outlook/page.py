"""A forecast as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sim.cli.outlook.chart import civil, happening
from sim.cli.outlook.tables import NOTE, SPEEDS, count, span
from sim.cli.terminal.show import clock, instant, short, size

if TYPE_CHECKING:
    import polars as pl

    from sim.cli.outlook.weighing import Weight
    from sim.engine.forecast import Estimate, Forecast
    from sim.model.model import Model
    from sim.pages.page import Page

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def page(model: Model, expected: Forecast, weights: Sequence[Weight]) -> Page:
    """Figures at a glance, then facts by month and stream, who is alive in which states, bytes and pace."""
    from sim.pages.page import Page, Tile

    made = Page(
        f"Plan of {model.name}",
        f"{instant(model.start)} until {instant(model.end)}, UTC",
        {"scenario": model.name, "digest": model.digest[:12], "intervals": f"95%; {NOTE}"},
    )
    total = expected.total
    made.section("At a glance").tiles(
        [
            Tile("facts", short(total.mean), span(total.low, total.high)),
            Tile("busiest hour", f"{short(expected.peak_per_s)}/s", "facts of all streams, at 1x"),
            *(Tile(weight.output, size(weight.total)) for weight in weights[:2]),
            Tile("memory", size(expected.memory_bytes), "of one worker"),
            Tile("simulation", clock(expected.seconds), "processor time, measured here"),
        ]
    )
    _facts(made, model, expected)
    _living(made, model, expected)
    _output(made, expected, weights)
    made.section("Inside").text(f"{expected.windows:,} windows, {expected.blocks:,} blocks.").table(
        ("order of causes inside a tick",), [(line,) for line in expected.order]
    )
    return made


def frame(instants: Sequence[int], estimates: Sequence[Estimate]) -> pl.DataFrame:
    """The columns month, mean, low and high, one row an estimate."""
    import polars as pl

    return pl.DataFrame(
        {
            "month": [_EPOCH + timedelta(microseconds=at) for at in instants],
            "mean": [estimate.mean for estimate in estimates],
            "low": [float(estimate.low) for estimate in estimates],
            "high": [float(estimate.high) for estimate in estimates],
        }
    )


def _facts(made: Page, model: Model, expected: Forecast) -> None:
    from sim.pages.charts import Axis, lines

    begins = civil(model, [model.start, *expected.months[:-1]])
    zero = Axis(zero=True)
    section = made.section(
        "Facts", "The area holds 95 of 100 runs; who exists at the start is in the table, not in charts."
    )
    every = frame(begins, happening(expected.monthly, sum(stream.existing for stream in expected.streams)))
    section.chart(lines(every, "month", "mean", band=("low", "high"), title="facts a month", y_axis=zero))
    section.table(
        ("stream", "facts", "from", "to", "peak/s, hour", "peak/s, minute", "as JSON"),
        [
            (
                s.name,
                round(s.facts),
                round(s.low),
                round(s.high),
                short(s.peak_per_s),
                short(s.minute_per_s),
                size(s.bytes),
            )
            for s in expected.streams
        ],
    )
    for stream in expected.streams:
        if stream.facts > stream.existing:
            own = frame(begins, happening(stream.months, stream.existing))
            title = f"{stream.name} a month"
            section.chart(
                lines(own, "month", "mean", band=("low", "high"), title=title, y_axis=zero, size="half", height=180)
            )


def _living(made: Page, model: Model, expected: Forecast) -> None:
    import polars as pl

    from sim.pages.charts import Axis, areas, lines

    section = made.section("Entities", "At the end of each month: who is alive, and in which states.")
    ends = civil(model, expected.months)
    for population in expected.populations:
        own = frame(ends, population.alive)
        band = ("low", "high")
        title = f"{population.name}: alive"
        axis = Axis(zero=True)
        section.chart(lines(own, "month", "mean", band=band, title=title, y_axis=axis, size="half", height=180))
        if population.states:
            states = pl.concat(
                frame(ends, found).with_columns(pl.lit(state).alias("state"))
                for state, found in population.states.items()
            )
            title = f"{population.name}: states"
            section.chart(areas(states, "month", "mean", "state", title=title, size="half", height=180))
        last = population.alive[-1]
        rows = [("alive", count(last.mean), span(last.low, last.high))]
        rows += [(s, count(f[-1].mean), span(f[-1].low, f[-1].high)) for s, f in population.states.items()]
        section.details(f"{population.name} at the end").table(("state", "entities", "from .. to"), rows)


def _output(made: Page, expected: Forecast, weights: Sequence[Weight]) -> None:
    section = made.section("Output and pace")
    section.table(
        ("written to", "bytes", "run, about"),
        [(w.output, size(w.total), clock(expected.seconds + w.seconds)) for w in weights],
        caption="Measured on a sample of facts and on this machine, with one worker; topics before compression.",
    )
    section.table(
        ("speed", "facts/s in the busiest hour", "in the busiest minute"),
        [(f"{x}x", short(expected.peak_per_s * x), short(expected.minute_per_s * x)) for x in SPEEDS],
    )
