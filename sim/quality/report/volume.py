"""Volume and value over time, with their trends."""

from __future__ import annotations

import polars as pl

from sim.pages.charts import Axis, lines
from sim.pages.page import Page, Section
from sim.quality.report.buckets import bucket, counted
from sim.quality.report.fits import trend
from sim.quality.report.reading import Reading
from sim.quality.report.spells import Event, events
from sim.quality.report.view import View
from sim.quality.tables import quoted

NAMED = 6
"""Incidents that are named below a chart."""

MOST = 8
"""Streams that are drawn; the others are smaller, and in the table of streams."""


def volume(page: Page, view: View) -> None:
    """Facts a day over time for each stream, and what they are worth."""
    streams = featured(view)[:MOST]
    if not streams:
        return
    unit = bucket(view)
    section = page.section("Volume and value", f"Facts a day, averaged over whole {unit}s, with an exponential trend.")
    unusual = events(view)
    for reading in streams:
        _stream(section, view, reading, [event for event in unusual if _touched(view, reading, event)])


def featured(view: View) -> list[Reading]:
    """The streams of what goes on, the largest first: facts, and the starts of cases."""
    return sorted(view.of("facts", "steps"), key=view.rows, reverse=True)


def starts(reading: Reading) -> str:
    """SQL that is true for facts that count: of the steps of cases, the first ones."""
    return "step_index = 0" if reading.role == "steps" else "true"


def worth(view: View, reading: Reading) -> str | None:
    """SQL for what a row adds to the stream's value, if it has one; of what a case has throughout, its first step."""
    if reading.value is None:
        return None
    value = f"{quoted(reading.value)}::DOUBLE"
    return f"CASE WHEN step_index = 0 THEN {value} END" if view.throughout(reading) else value


def thing(reading: Reading) -> str:
    """What is counted, in words."""
    return f"{reading.name} (cases begun)" if reading.role == "steps" else reading.name


def follows(view: View, reading: Reading) -> bool:
    """Whether its facts follow from those of another stream, whose shape they have."""
    return any(view.all[to].role in ("facts", "steps") for _, to in reading.references)


def _touched(view: View, reading: Reading, event: Event) -> bool:
    """Whether an event hits a stream, or the births of those whose facts it has."""
    return reading.name in event.streams or (reading.owner is not None and reading.owner in event.streams)


def _stream(section: Section, view: View, reading: Reading, unusual: list[Event]) -> None:
    level = reading.level if reading.role == "facts" else None
    found = counted(view, reading, worth(view, reading) or (level and f"{quoted(level)}::DOUBLE"), starts(reading))
    if found.height < 3:
        return
    _drawn(section, view, found, "n", thing(reading), "a day", unusual)
    if reading.value:
        _drawn(section, view, found, "v", f"{reading.value} of {reading.name}", "a day", unusual)
    elif level and found["mean"].drop_nulls().n_unique() > 1:
        _drawn(section, view, found.drop_nulls("mean"), "mean", f"mean {level} of {reading.name}", "", [])


def _drawn(
    section: Section, view: View, found: pl.DataFrame, y: str, title: str, unit: str, unusual: list[Event]
) -> None:
    months = found["at"].dt.month().cast(pl.Int64).to_numpy() if bucket(view) == "month" else None
    fitted = trend(found["days"].to_numpy(), found[y].cast(pl.Float64).to_numpy(), months)
    measured = found.select("at", pl.col(y).cast(pl.Float64).alias("y"), of=pl.lit("measured"))
    parts = [measured]
    if fitted is not None:
        above = fitted.fitted if y == "mean" else fitted.fitted.clip(min=0.0)
        parts.append(found.select("at", y=pl.Series(above), of=pl.lit("trend")))
    section.chart(
        lines(
            pl.concat(parts),
            "at",
            "y",
            by="of" if fitted else None,
            spans=[view.clocks(span) for event in unusual for span in event.spans],
            dashed=["trend"] if fitted else [],
            title=f"{title} {unit}".strip(),
            y_axis=Axis(format="~s" if found[y].max() >= 1000 else "", zero=y != "mean"),  # type: ignore[operator]
            size="half",
            height=220,
        ),
        " ".join([*([fitted.words(view.days)] if fitted else []), *_shaded(unusual)]),
    )


def _shaded(unusual: list[Event]) -> list[str]:
    names = [event.name for event in unusual[:NAMED]] + (["others"] if len(unusual) > NAMED else [])
    return [f"Shaded: {', '.join(names)}."] if names else []
