"""Attribution: which channels the journeys come by that convert, and what would be lost without each of them.

Without a channel, a journey ends where it would have gone there: of journeys that are known to their end, those
conversions are lost that have the channel before them on their path. That share is the removal effect (E. Anderl,
I. Becker, F. von Wangenheim and J. H. Schumann 2016, "Mapping the customer journey"); it needs no model of paths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from sim.model.journeys import exact
from sim.model.truth import truths_of
from sim.pages.charts import Axis, bars, dots
from sim.pages.page import Cell, Page, Section
from sim.quality.report.funnels import followed
from sim.quality.report.reading import Reading
from sim.quality.report.view import View
from sim.quality.shares import wilson
from sim.quality.tables import literal

GOALS = re.compile(
    r"^(order|purchase|sale|conversion|convert|subscribe|sign_?up|book|pay)(e?d)?$|^(bought|sold|paid|won)$"
)
"""Names of steps that are a journey's success, where no scenario says it."""

PAUSE = 1800
"""Seconds after which a visit has ended, and what comes then is a touch."""

OFTEN = 0.02
"""The share of cases that begin at a step that is a channel."""

MOST = 16
"""Channels."""

CREDITED = ("first", "last", "linear")
WAYS = {"first": "first touch", "last": "last touch", "linear": "linear", "share": "removal effect"}


def attribution(page: Page, view: View) -> None:
    """For every process whose cases come by several channels and can convert: what each channel contributes."""
    section: Section | None = None
    for reading in sorted(view.of("steps"), key=view.rows, reverse=True):
        goals = _goals(view, reading) if reading.case is not None else []
        if not goals:
            continue
        followed(view, reading)
        channels = _channels(view, goals)
        if len(channels) >= 2:
            section = section or page.section(
                "Attribution",
                "Channels are where journeys begin, or are taken up again after half an hour. Without a channel, those "
                "conversions would be lost that it comes before: its removal effect.",
            )
            _process(section.section(reading.name), view, reading, goals, channels)
        view.query("DROP TABLE walked")


def _goals(view: View, reading: Reading) -> list[str]:
    """The steps that count as success: declared, or called like it."""
    flows = view.declared.model.flows if view.declared else ()
    told = [[flow.steps[code] for code in flow.conversions] for flow in flows if flow.name == reading.name]
    if told:
        return told[0]
    steps = [str(row[0]) for row in view.query(f'SELECT DISTINCT step::VARCHAR FROM "{reading.name}" LIMIT 100')]
    return [step for step in steps if GOALS.match(step)]


def _channels(view: View, goals: list[str]) -> list[str]:
    listed = ", ".join(map(literal, goals))
    rows = view.query(
        f"""
        WITH come AS (
            SELECT step, place, t, epoch(t) - epoch(lag(t) OVER (PARTITION BY id ORDER BY place)) AS pause FROM walked
        ), total AS (SELECT count(DISTINCT id) AS n FROM walked)
        SELECT step FROM come, total WHERE step NOT IN ({listed}) GROUP BY step
        HAVING count(*) FILTER (place = 0) > {OFTEN} * any_value(n) OR quantile_cont(pause, 0.5) > {PAUSE}
        ORDER BY count(*) DESC LIMIT {MOST}
        """
    )
    return [str(row[0]) for row in rows]


def _process(section: Section, view: View, reading: Reading, goals: list[str], channels: list[str]) -> None:
    found = _credited(view, goals, channels)
    (cases, converting), truth = _converting(view, goals), _truth(view, reading, channels)
    if converting < 10:
        section.text(f"{converting:,} of {cases:,} journeys convert: too few to tell what leads to it.")
        return
    reach = [wilson(int(n), converting) for n in found["before"]]
    shown = found.with_columns(
        effect=pl.col("before") / converting,
        low=pl.Series([low for low, _ in reach]),
        high=pl.Series([high for _, high in reach]),
        truth=pl.Series([truth.get(name) for name in found["step"]], dtype=pl.Float64),
    ).sort("effect", descending=True)
    shown = shown.with_columns(share=pl.col("effect") / pl.col("effect").sum())
    shown = shown.with_columns(true=pl.col("truth") / pl.col("truth").sum())
    section.text(f"{converting:,} of {cases:,} journeys ({converting / cases:.2%}) come to {' or '.join(goals)}.")
    _effects(section, reading, shown)
    _ways(section, reading, shown)
    _table(section, shown)


def _credited(view: View, goals: list[str], channels: list[str]) -> pl.DataFrame:
    """By channel: touches, journeys with it, converting journeys with it before their first conversion, and shares of
    the conversions by first, last and linear touch."""
    names, ends = (", ".join(map(literal, several)) for several in (channels, goals))
    shares = (f"coalesce(any_value({way}) / (SELECT sum({way}) FROM credit), 0) AS {way}" for way in CREDITED)
    return view.frame(
        f"""
        WITH ended AS (SELECT id, min(place) AS stop FROM walked WHERE step IN ({ends}) GROUP BY 1),
        touch AS (SELECT id, step, place, stop FROM walked LEFT JOIN ended USING (id) WHERE step IN ({names})),
        led AS (
            SELECT *, row_number() OVER way AS first, count(*) OVER (PARTITION BY id) AS many
            FROM touch WHERE place < stop WINDOW way AS (PARTITION BY id ORDER BY place)
        ), credit AS (
            SELECT step, count(DISTINCT id) AS before, sum((first = 1)::INT) AS first, sum((first = many)::INT) AS last,
                   sum(1.0 / many) AS linear
            FROM led GROUP BY 1
        )
        SELECT step, count(*) AS touches, count(DISTINCT id) AS cases,
               count(DISTINCT id) FILTER (stop IS NOT NULL) / count(DISTINCT id) AS converted,
               coalesce(any_value(before), 0) AS before,
               {", ".join(shares)}
        FROM touch LEFT JOIN credit USING (step) GROUP BY step
        """
    )


def _converting(view: View, goals: list[str]) -> tuple[int, int]:
    listed = ", ".join(map(literal, goals))
    sql = f"SELECT count(DISTINCT id), count(DISTINCT id) FILTER (step IN ({listed})) FROM walked"
    cases, converting = view.query(sql)[0]
    return int(cases), int(converting)


def _truth(view: View, reading: Reading, channels: list[str]) -> Mapping[str, float]:
    """The removal effects that follow from the scenario, where they do."""
    model = view.declared.model if view.declared else None
    flow = next((flow for flow in model.flows if flow.name == reading.name), None) if model else None
    if model is None or flow is None or not flow.conversions or not exact(model, flow):
        return {}
    touches = truths_of(model, flow)[0].touches
    return {touch.step: touch.removal_effect for touch in touches if touch.step in channels}


def _effects(section: Section, reading: Reading, shown: pl.DataFrame) -> None:
    known = shown["truth"].count() > 0
    section.chart(
        dots(
            shown, "effect", "step", interval=("low", "high"), declared="truth" if known else None,
            title=f"{reading.name}: conversions lost without the channel",
            x_axis=Axis("removal effect", format="%", zero=True), height=_tall(shown),
        ),
        "With 95% intervals (Wilson)." + (" Ticks are the truth, from the scenario." if known else ""),
    )  # fmt: skip


def _ways(section: Section, reading: Reading, shown: pl.DataFrame) -> None:
    """Who gets the credit, by last touch and by removal effect, and who should."""
    known = shown["true"].count() > 0
    series = {"last": WAYS["last"], "share": WAYS["share"]} | ({"true": "truth"} if known else {})
    long = pl.concat(shown.select("step", pl.col(way).alias("credit"), of=pl.lit(name)) for way, name in series.items())
    section.chart(
        bars(
            long, "step", "credit", by="of", horizontal=True, title=f"{reading.name}: share of the credit",
            y_axis=Axis(format="%", zero=True), height=_tall(shown),
        )
    )  # fmt: skip


def _tall(shown: pl.DataFrame) -> int:
    return max(200, 70 + 44 * shown.height)


def _table(section: Section, shown: pl.DataFrame) -> None:
    known = shown["true"].count() > 0
    ways = [*WAYS, *(["true"] if known else [])]
    rows = [
        [
            row["step"], row["touches"], f"{row['converted']:.2%}", f"{row['effect']:.1%}",
            *(Cell(f"{row[way]:.1%}", bar=row[way]) for way in ways),
        ]
        for row in shown.to_dicts()
    ]  # fmt: skip
    heads = ["channel", "touches", "journeys with it convert", "lost without it", *WAYS.values()]
    heads += ["truth"] if known else []
    sides = ["left", *["right"] * (len(heads) - 1)]
    section.details("Channels in numbers").table(heads, rows, "Credit by channel", sides)  # type: ignore[arg-type]
