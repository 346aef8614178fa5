"""Processes: how many cases reach which step, where they end, how long it takes, and which ways they go."""

from __future__ import annotations

from itertools import groupby

import polars as pl

from sim.pages.charts import Axis, bars, heat
from sim.pages.page import Cell, Page, Section
from sim.quality.report.reading import Reading
from sim.quality.report.view import SAMPLE, View, table
from sim.quality.tables import quoted

STEPS = 24
PATHS = 12
FEW = 7
"""Steps that fit into half the width."""

ENDS = 0.995
"""The share of its visits from which nothing goes on, at a step that is an end."""

END = "(end)"
ARROW = " → "

SPANS = ((31_557_600.0, "years"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"))
"""Units of time in seconds, the longest first."""


def funnels(page: Page, view: View) -> None:
    """For every process: the funnel, the ways from step to step, and the most frequent paths."""
    told = [reading for reading in view.of("steps") if reading.case is not None]
    if not told:
        return
    section = page.section(
        "Processes",
        "Cases that began early enough to have come to their end: what nine of ten cases need is left to them.",
    )
    for reading in sorted(told, key=view.rows, reverse=True):
        _process(section.section(reading.name), view, reading)


def _process(section: Section, view: View, reading: Reading) -> None:
    every = followed(view, reading)
    total = int(view.query("SELECT count(DISTINCT id) FROM walked")[0][0])
    if not total:
        section.text("No case began early enough to be followed to its end.")
        return
    found = _ordered(view, reading, _reached(view)).head(STEPS)
    section.chart(
        bars(
            found.with_columns(label=pl.Series([f"{share:.1%}" for share in found["share"]])),
            "step",
            "share",
            horizontal=True,
            labels="label",
            title=f"{reading.name}: share of {total:,} cases that reach the step",
            y_axis=Axis(format="%", zero=True),
            size="wide" if found.height > FEW else "half",
        ),
        f"{_loss(found)} {_looked(view, total, every)}",
    )
    if found.height > 2:
        _ways(section, view, reading.name, found["step"].to_list())
        _paths(section, view, total)
    _table(section, found)
    view.query("DROP TABLE walked")


def followed(view: View, reading: Reading) -> int:
    """Put the steps of cases that are followed into the table `walked`; the number of all cases in the data.

    Its columns are `id`, `place`, `step`, `t`, `next`, and `seconds` to the next step.
    """
    case, until = quoted(reading.case or ""), view.instant(view.until)
    at = view.at(reading)
    ends = f"min({at}) AS a, max({at}) AS b, min(step_index) AS first"
    begun = f"SELECT {case} AS id, {ends} FROM {table(reading)} GROUP BY 1"
    counted = view.frame(f"SELECT count(*) AS n, quantile_cont(epoch(b) - epoch(a), 0.9) AS long FROM ({begun})")
    long = min(float(counted["long"][0] or 0.0), view.days * 86_400 / 2)
    every = int(counted["n"][0])
    sample = view.sampled("id", every)
    steps = f"""
        WITH chosen AS (
            SELECT id FROM ({begun}) WHERE first = 0 AND epoch(a) <= epoch({until}) - {long} AND {sample}
        )
        SELECT id, step_index AS place, step::VARCHAR AS step, {at} AS t, lead(step::VARCHAR) OVER way AS next,
               epoch(lead({at}) OVER way) - epoch({at}) AS seconds
        FROM {table(reading)} JOIN chosen ON chosen.id = {case}
        WINDOW way AS (PARTITION BY {case} ORDER BY step_index)
    """
    view.query(f"CREATE OR REPLACE TEMP TABLE walked AS {steps}")
    return every


def _looked(view: View, total: int, every: int) -> str:
    """How many cases are looked at, of all that there are."""
    part = f"one in {every // SAMPLE} of those that" if every >= 2 * SAMPLE else "those that"
    return f"{total:,} of {every:,} cases are looked at: {part} began early enough."


def _ordered(view: View, reading: Reading, found: pl.DataFrame) -> pl.DataFrame:
    """The steps in the order of the scenario, if it is known; else as they come on average."""
    flows = view.declared.model.flows if view.declared else ()
    order = next((flow.steps for flow in flows if flow.name == reading.name), ())
    place = {name: place for place, name in enumerate(order)}
    if not set(found["step"]) <= set(place):
        return found
    return found.sort(pl.col("step").replace_strict(place, return_dtype=pl.Int64))


def _reached(view: View) -> pl.DataFrame:
    return view.frame(
        """
        SELECT step, count(DISTINCT id) AS reached,
               count(DISTINCT id) / (SELECT count(DISTINCT id) FROM walked) AS share,
               count(*) AS visits, count(*) FILTER (next IS NULL) / count(*) AS ended,
               quantile_cont(seconds, 0.5) AS median, quantile_cont(seconds, 0.9) AS p90
        FROM walked GROUP BY 1 ORDER BY avg(place), 2 DESC
        """
    )


def _loss(found: pl.DataFrame) -> str:
    """Where most cases end that could have gone on."""
    lost = found.with_columns(cases=pl.col("ended") * pl.col("visits")).filter(pl.col("ended") < ENDS)
    rows = lost.sort("cases", descending=True).head(3).to_dicts()
    told = [f"{row['step']} ({row['cases']:,.0f}, {row['ended']:.1%} of its visits)" for row in rows if row["cases"]]
    return f"Most cases are lost at {', '.join(told)}." if told else "No case is lost on its way."


def _ways(section: Section, view: View, name: str, order: list[str]) -> None:
    found = view.frame(
        f"SELECT step, coalesce(next, '{END}') AS next, count(*) / sum(count(*)) OVER (PARTITION BY step) AS share "
        f"FROM walked GROUP BY 1, 2"
    )
    places = {name: place for place, name in enumerate([*order, END])}
    grid = pl.DataFrame({"step": order}).join(pl.DataFrame({"next": [*order, END]}), how="cross")
    every = grid.join(found, on=["step", "next"], how="left", maintain_order="left")
    used = found.filter(pl.col("next").is_in(places))["next"].unique()
    shown = every.filter(pl.col("next").is_in(used.implode()))
    section.chart(
        heat(
            shown, "next", "step", "share", text=".0%", domain=(0.0, 1.0),
            title=f"{name}: from step (down) to step (across)", size="wide" if len(order) > FEW else "half",
        ),
        "Shares of the visits of a step.",
    )  # fmt: skip


def _table(section: Section, found: pl.DataFrame) -> None:
    rows = [
        [
            row["step"],
            row["reached"],
            Cell(f"{row['share']:.1%}", bar=row["share"]),
            row["visits"],
            f"{row['ended']:.1%}",
            span(row["median"]),
            span(row["p90"]),
        ]
        for row in found.to_dicts()
    ]
    names = ["step", "cases", "share", "visits", "end here", "median to next", "90% within"]
    section.details("Steps in numbers").table(names, rows, align=["left", *["right"] * 6])  # type: ignore[list-item]


def _paths(section: Section, view: View, total: int) -> None:
    found = view.frame(
        f"""
        SELECT path, count(*) AS n FROM (
            SELECT id, string_agg(step, '{ARROW}' ORDER BY place) AS path FROM walked GROUP BY 1
        ) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {PATHS}
        """
    )
    rows = [[_short(r["path"]), r["n"], Cell(f"{r['n'] / total:.1%}", bar=r["n"] / total)] for r in found.to_dicts()]
    section.table(["path", "cases", "share"], rows, "Most frequent paths", ["left", "right", "right"])


def _short(path: str) -> str:
    """A path in which steps that follow themselves are counted."""
    runs = ((step, len(list(run))) for step, run in groupby(path.split(ARROW)))
    return ARROW.join(f"{step} ×{times}" if times > 1 else step for step, times in runs)


def span(seconds: float | None) -> str:
    """A duration as people read it."""
    if seconds is None:
        return "–"
    size, unit = next((each for each in SPANS if abs(seconds) >= 2 * each[0]), (1.0, "s"))
    return f"{seconds / size:.3g} {unit}"
