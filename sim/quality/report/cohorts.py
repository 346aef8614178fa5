"""Cohorts: whether those who came at the same time stay active, and what they are worth as they grow older."""

from __future__ import annotations

import polars as pl

from sim.pages.charts import Axis, heat, lines
from sim.pages.page import Page, Section
from sim.quality.report.lives import MONTH, days, deeds, doings, habit, kinds, members
from sim.quality.report.reading import Reading
from sim.quality.report.view import View
from sim.quality.report.volume import thing

UNITS = (("month", MONTH, 150), ("week", 7.0, 30), ("day", 1.0, 4))
"""Periods of birth and steps of age: name, days, and the days of data that they need."""

MOST = 24
"""Steps of age."""


def cohorts(page: Page, view: View) -> None:
    """Retention by cohort, and value by age, for every kind of entity that is born during the data."""
    unit = next((unit for unit in UNITS if view.days >= unit[2]), None)
    told = [(entity, reading) for entity in kinds(view) if (reading := habit(view, entity)) is not None]
    if unit is None or not told:
        return
    found = [(entity, reading, _cells(view, entity, reading, unit)) for entity, reading in told]
    shown = [(entity, reading, cells) for entity, reading, cells in found if cells["cohort"].n_unique() >= 3]
    if not shown:
        return
    words = (
        f"Those born in the same period, by {unit[0]}s of age; only cells that all of the cohort have lived through."
    )
    section = page.section("Cohorts", words)
    for entity, reading, cells in shown:
        _retention(section, view, entity, reading, cells, unit[0])
        best = doings(view, entity, 1)[0]
        _worth(section, best, entity, cells if best == reading else _cells(view, entity, best, unit), unit[0])


def _cells(view: View, entity: Reading, reading: Reading, unit: tuple[str, float, int]) -> pl.DataFrame:
    """By period of birth and step of age: members, active members, facts and their value; births in the data only."""
    name, length, _ = unit
    start, until = view.instant(view.start), view.instant(view.until)
    return view.frame(
        f"""
        WITH member AS (
            SELECT id, born, date_trunc('{name}', {view.local("born")}) AS cohort
            FROM {members(view, entity)} WHERE born >= {start}
        ), size AS (
            SELECT cohort, count(*) AS members, floor(min({days(until, "born")}) / {length})::INT AS whole
            FROM member GROUP BY 1
        ), done AS (
            SELECT cohort, floor({days("t", "born")} / {length})::INT AS age, id, sum(n) AS n, sum(v) AS v
            FROM member JOIN {deeds(view, entity, reading)} AS deed USING (id) WHERE t >= born GROUP BY ALL
        ), cell AS (
            SELECT cohort, age, count(*) FILTER (n > 0) AS active, sum(n) AS n, sum(v) AS v FROM done GROUP BY ALL
        )
        SELECT size.cohort, ages.age, members, coalesce(active, 0) AS active, coalesce(n, 0)::DOUBLE AS n,
               coalesce(v, 0)::DOUBLE AS v
        FROM size JOIN (SELECT unnest(range({MOST}))::INT AS age) AS ages ON ages.age < size.whole
             LEFT JOIN cell ON cell.cohort = size.cohort AND cell.age = ages.age
        WHERE members >= 10 ORDER BY 1, 2
        """
    )


def _retention(section: Section, view: View, entity: Reading, reading: Reading, cells: pl.DataFrame, unit: str) -> None:
    merged = _merged(cells, 18)
    shown = merged.with_columns(share=pl.col("active") / pl.col("members"))
    month = _pooled(cells)
    at = min(6, int(month["age"].max()))  # type: ignore[arg-type]
    kept = month.filter(pl.col("age") == at)["share"][0]
    section.chart(
        heat(
            shown,
            "age",
            "name",
            "share",
            text=".0%",
            domain=(0.0, max(float(shown["share"].max()), 0.01)),  # type: ignore[arg-type]
            title=f"Retention: share of {entity.name} cohorts with {thing(reading)} in the {unit} of age",
            x_axis=Axis(f"{unit} of age"),
        ),
        f"{kept:.1%} of all are active in {unit} {at} of age." + view.note(view.rows(entity), "entities"),
    )


def _worth(section: Section, reading: Reading, entity: Reading, cells: pl.DataFrame, unit: str) -> None:
    merged = _merged(cells, 6)
    value = f"{reading.value} of {reading.name}" if reading.value else thing(reading)
    shown = merged.with_columns(worth=pl.col("v") / pl.col("members"))
    section.chart(
        lines(
            shown,
            "age",
            "worth",
            by="name",
            ramp=True,
            points=True,
            title=f"{value} per {entity.name} born, by {unit} of age and cohort",
            x_axis=Axis(f"{unit} of age", whole=True),
            y_axis=Axis(zero=True),
        )
    )


def _merged(cells: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many cohorts: neighbours are put together, in cells that all of them have lived through."""
    periods = cells["cohort"].unique().sort()
    together = -(-len(periods) // most)
    place = pl.DataFrame({"cohort": periods, "row": [n // together for n in range(len(periods))]})
    placed = cells.join(place, on="cohort", how="left")
    width = place.group_by("row").agg(pl.len().alias("width"), pl.col("cohort").min().alias("first"))
    summed = placed.group_by("row", "age").agg(pl.col("members", "active", "n", "v").sum(), pl.len().alias("have"))
    whole = summed.join(width, on="row").filter(pl.col("have") == pl.col("width"))
    form = "%Y-%m-%d" if (periods.dt.day() != 1).any() else "%Y-%m"
    return whole.with_columns(name=pl.col("first").dt.strftime(form)).sort("row", "age")


def _pooled(cells: pl.DataFrame) -> pl.DataFrame:
    pooled = cells.group_by("age").agg(pl.col("members", "active").sum()).sort("age")
    return pooled.with_columns(share=pl.col("active") / pl.col("members"))
