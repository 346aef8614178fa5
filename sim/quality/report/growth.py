"""Growth and adoption: how many entities there are over time, and which share of them has come to a state."""

from __future__ import annotations

import polars as pl

from sim.pages.charts import Axis, lines
from sim.pages.page import Page, Section
from sim.quality.report.buckets import bucket
from sim.quality.report.reading import Reading
from sim.quality.report.states import machines
from sim.quality.report.view import View, table
from sim.quality.tables import quoted

LEAST = 20
"""Entities that must come during the data, for a curve."""


def growth(page: Page, view: View) -> None:
    """The curve of every kind of entity that grows, and of states that entities come to."""
    grown = [entity for entity in view.of("entity") if _late(view, entity) >= LEAST]
    states = [(entity, changes) for entity, changes in machines(view) if view.rows(changes) >= LEAST]
    if not grown and not states:
        return
    section = page.section("Growth and adoption", "How many there are, ever born; and who has ever come to a state.")
    for entity in grown:
        _growth(section, view, entity)
    for entity, changes in states:
        _adoption(section, view, entity, changes)


def _late(view: View, entity: Reading) -> int:
    found = view.query(f"SELECT count(*) FROM {table(entity)} WHERE {view.at(entity)} > {view.instant(view.start)}")
    return int(found[0][0])


def _growth(section: Section, view: View, entity: Reading) -> None:
    found = view.frame(
        f"SELECT date_trunc('{bucket(view)}', {view.civil(entity)}) AS first, count(*) AS n FROM {table(entity)} "
        f"GROUP BY 1 ORDER BY 1"
    )
    shown = found.select(pl.col("first").alias("moment"), pl.col("n").cum_sum().alias("total"))
    title = f"{entity.name}: all that there were"
    section.chart(
        lines(shown, "moment", "total", title=title, y_axis=Axis(format="~s", zero=True), size="half", height=220),
        f"{_late(view, entity):,} of {view.rows(entity):,} came during the data.",
    )


def _adoption(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    """By state, the share of all entities there are by then that have ever entered it through a change."""
    unit = bucket(view)
    found = view.frame(
        f"""
        WITH entered AS (
            SELECT to_state AS state, {quoted(changes.key or "")} AS id, min({view.civil(changes)}) AS t
            FROM {table(changes)} GROUP BY ALL
        ), came AS (
            SELECT date_trunc('{unit}', {view.civil(entity)}) AS moment, count(*) AS n FROM {table(entity)} GROUP BY 1
        ),
        counted AS (SELECT state, date_trunc('{unit}', t) AS moment, count(*) AS n FROM entered GROUP BY ALL),
        moments AS (SELECT moment FROM came UNION SELECT moment FROM counted),
        grid AS (SELECT * FROM moments, (SELECT DISTINCT state FROM counted))
        SELECT grid.state, grid.moment, coalesce(counted.n, 0) AS entered, coalesce(came.n, 0) AS came
        FROM grid LEFT JOIN counted ON counted.state = grid.state AND counted.moment = grid.moment
             LEFT JOIN came ON came.moment = grid.moment ORDER BY 1, 2
        """
    )
    sums = found.with_columns(pl.col("entered", "came").cast(pl.Float64).cum_sum().over("state"))
    shown = sums.with_columns(share=pl.col("entered") / pl.col("came"))
    title = f"{entity.name}: share that has ever come to a state"
    last = shown.group_by("state", maintain_order=True).last()
    told = "; ".join(f"{row['state']} {row['share']:.1%}" for row in last.to_dicts())
    axis = Axis(format="%", zero=True)
    section.chart(
        lines(shown, "moment", "share", by="state", title=title, y_axis=axis, size="half", height=220),
        f"At the end: {told}.",
    )
