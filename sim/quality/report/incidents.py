"""Incidents: what was unusual, when, and how often things happened before it, during it and after it.

Incidents that were on for everybody are drawn one by one; of those that happen to single entities, the entities that
are hit are compared with themselves.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from sim.pages.charts import Axis, Rule, dots, lines
from sim.pages.page import Page, Section
from sim.quality.report.funnels import span
from sim.quality.report.phases import PHASES, Rated, of_entities, of_everybody
from sim.quality.report.reading import Reading
from sim.quality.report.spells import Event, events, labels, recorded
from sim.quality.report.view import View, table
from sim.quality.report.volume import starts, thing

ZOOMS = 6
"""Incidents that are drawn one by one."""

WIDE = 8.0
"""The largest ratio over the least one, from which on an axis is logarithmic."""

BINS = ((60, "minute"), (600, "10 minutes"), (3600, "hour"), (21_600, "6 hours"), (86_400, "day"), (604_800, "week"))
POINTS = 160
"""Bins of a chart, at the most."""


def incidents(page: Page, view: View) -> None:
    """What was on for everybody, drawn and with rates; and what happened to single entities and facts."""
    found, told = events(view), recorded(view)
    single = _single(view) if told is not None else pl.DataFrame()
    if not found and not single.height:
        return
    section = page.section(
        "Incidents",
        "What is known to be unusual. Before and after are the same hours of the week, as many whole weeks earlier and "
        "later as it takes; 95% intervals as if facts did not depend on each other.",
    )
    _listed(section, view, found, single)
    _compared(section, [*of_everybody(view, found), *(of_entities(view, told) if told is not None else [])])
    drawn = [(event, stream) for event in found for stream in event.streams if stream in view.streams]
    for event, stream in drawn[:ZOOMS]:
        _zoom(section, view, event, view.streams[stream])


def _single(view: View) -> pl.DataFrame:
    """Of the ground truth, by incident: to which kind of entity it happened, how often and how long, and facts hit."""
    told, hit = recorded(view), labels(view)
    assert told is not None
    length = f"epoch({view.at(told, 'ends_at')}) - epoch({view.at(told, 'began_at')})"
    facts = "SELECT NULL, 0, NULL, NULL WHERE false"
    if hit is not None:
        facts = (
            "SELECT incident, count(*), array_to_string(list_sort(list(DISTINCT fact_stream::VARCHAR)), ', '), "
            f"min({view.at(hit)}) FROM {table(hit)} GROUP BY 1"
        )
    return view.frame(
        f"""
        WITH spell AS (
            SELECT incident::VARCHAR AS incident, any_value(entity)::VARCHAR AS entity, count(*) AS times,
                   quantile_cont({length}, 0.5) AS long, min({view.at(told)}) AS begun
            FROM {table(told)} GROUP BY 1
        ), hit AS (SELECT * REPLACE (incident::VARCHAR AS incident) FROM ({facts}) AS t(incident, facts, streams, hit))
        SELECT incident, entity, coalesce(times, 0) AS times, long, coalesce(facts, 0) AS facts, streams,
               coalesce(begun, hit) AS first
        FROM spell FULL JOIN hit USING (incident) ORDER BY facts DESC, 1
        """
    )


def _listed(section: Section, view: View, found: list[Event], single: pl.DataFrame) -> None:
    """Everything unusual, in a table."""
    specs = view.declared.scenario.incidents if view.declared else {}
    facts = dict(zip(single["incident"], single["facts"], strict=True)) if single.height else {}
    rows: list[list[object]] = [
        [
            event.name, event.kind, "everybody" if event.groups is None else ", ".join(event.groups[1]),
            f"{view.clocks(event.spans[0])[0]:%Y-%m-%d}", len(event.spans),
            span(3600 * event.hours / len(event.spans)), facts.get(event.name), ", ".join(event.streams),
            event.description,
        ]
        for event in found
    ]  # fmt: skip
    names = {event.name for event in found}
    for row in single.filter(~pl.col("incident").is_in(names)).to_dicts() if single.height else []:
        whom = f"single {row['entity']}s" if row["entity"] else "single facts" if not row["times"] else "everybody"
        long = span(row["long"]) if row["long"] else "–"
        said = specs[row["incident"]].description if row["incident"] in specs else ""
        when, streams = view.clocks((row["first"], row["first"]))[0], row["streams"] or ""
        times = row["times"] or None
        rows.append([row["incident"], "incident", whom, f"{when:%Y-%m-%d}", times, long, row["facts"], streams, said])
    heads = ["name", "what", "whom", "first", "times", "how long", "facts hit", "streams", "what it is"]
    section.table(heads, rows, align=["left", "left", "left", "right", "right", "right", "right", "left", "left"])


def _compared(section: Section, rates: list[Rated]) -> None:
    """The rates in a table, and the ratios of those during and around it as a chart."""
    told = [(each, each.ratio()) for each in rates]
    shown = [(each.name, *ratio, each.declared) for each, ratio in told if ratio is not None and ratio[0] > 0]
    if shown:
        schema = {"name": pl.String, "ratio": pl.Float64, "low": pl.Float64, "high": pl.Float64, "declared": pl.Float64}
        frame = pl.DataFrame(shown, schema=schema, orient="row")
        known = frame["declared"].count() > 0
        wide = max(frame["high"]) > WIDE * min(frame["low"])
        axis = Axis("rate during it, as a multiple of the rate around it", log=wide, zero=True)
        section.chart(
            dots(
                frame, "ratio", "name", interval=("low", "high"), declared="declared" if known else None,
                title="Rates during incidents", x_axis=axis, rules=[Rule(1.0, axis="x")], size="wide",
            ),
            "Ticks are the declared factors, ramps included; where incidents meet, they multiply." if known else "",
        )  # fmt: skip
    rows = [
        [each.name, each.of, *(each.rate(phase) for phase in PHASES), ratio and ratio[0], each.declared]
        for each, ratio in told
    ]
    heads = ["incident and stream", "facts per", *PHASES.values(), "during / around", "declared"]
    section.table(heads, rows, "Before, during and after", ["left", "left", *["right"] * 5])  # type: ignore[list-item]


def _zoom(section: Section, view: View, event: Event, reading: Reading) -> None:
    """The time around the longest span of an event, in bins that show it."""
    begin, until = max(event.spans, key=lambda span: span[1] - span[0])
    around = max(1.5 * (until - begin), timedelta(hours=6))
    first, last = max(begin - around, view.start), min(until + around, view.until)
    size, unit = next((each for each in BINS if (last - first).total_seconds() / each[0] <= POINTS), BINS[-1])
    whole = int((last - first).total_seconds() // size)
    cell = f"floor((epoch({view.at(reading)}) - {first.timestamp()}) / {size})::INT"
    inside = f"{view.at(reading)} >= {view.instant(first)} AND {view.at(reading)} < {view.instant(last)}"
    found = view.frame(
        f"SELECT {cell} AS cell, count(*) AS n FROM {table(reading)} WHERE {starts(reading)} AND {inside} GROUP BY 1"
    )
    grid = pl.DataFrame({"cell": range(whole)}, schema={"cell": pl.Int32}).join(found, on="cell", how="left")
    at = pl.lit(view.clocks((first, last))[0]) + pl.col("cell").cast(pl.Int64) * timedelta(seconds=size)
    shown = grid.sort("cell").with_columns(at=at, n=pl.col("n").fill_null(0))
    if shown.height < 3:
        return
    when = view.clocks((begin, until))
    section.chart(
        lines(
            shown, "at", "n", spans=[view.clocks(span) for span in event.spans], y_axis=Axis(zero=True), size="half",
            title=f"{event.name}: {thing(reading)} by {unit}", height=220,
        ),
        f"From {when[0]:%Y-%m-%d %H:%M} until {when[1]:%Y-%m-%d %H:%M}. {event.description}".strip(),
    )  # fmt: skip
