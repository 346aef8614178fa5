"""Segments side by side: how often, and for how much, with intervals that know that entities differ."""

from __future__ import annotations

import polars as pl

from sim.pages.charts import Axis, Rule, dots
from sim.pages.page import Page, Section
from sim.quality.report.lives import MONTH, days, deeds, doings, kinds, members
from sim.quality.report.reading import Reading
from sim.quality.report.view import View
from sim.quality.report.volume import thing
from sim.quality.tables import quoted

COLUMNS = 6
LEAST = 8
"""Members of a group that has a rate of its own."""


def segments(page: Page, view: View) -> None:
    """For each kind of entity, the groups that its columns make, compared by what their members do."""
    told = [(entity, reading, columns(view, entity)) for entity in kinds(view) for reading in doings(view, entity)]
    told = [(entity, reading, names) for entity, reading, names in told if names]
    if not told:
        return
    section = page.section(
        "Segments",
        "Facts for each entity and month that it was there, of the groups that attributes make, as a multiple of the "
        "average; 95% intervals by the spread between entities.",
    )
    for entity, reading, names in told:
        _compared(section, view, entity, reading, names)


def columns(view: View, entity: Reading) -> list[str]:
    """The columns that divide entities into groups; declared segments come first."""
    groups = view.groups(entity)
    declared = view.segmentations(entity.name)
    return [*(name for name in declared if name in entity.texts), *(name for name in groups if name not in declared)][
        :COLUMNS
    ]


def _compared(section: Section, view: View, entity: Reading, reading: Reading, names: list[str]) -> None:
    found = pl.concat([_rates(view, entity, reading, name) for name in names])
    often = found.with_columns(pl.col("rate", "rate_low", "rate_high") / pl.col("rate_all"))
    what = f"{thing(reading)} per {entity.name} and month"
    section.chart(
        dots(
            often,
            "rate",
            "group",
            interval=("rate_low", "rate_high"),
            title=what,
            x_axis=Axis("times the average"),
            rules=[Rule(1.0, axis="x")],
        ),
        f"The average is {found['rate_all'][0]:.3g}." + view.note(view.rows(entity), "entities"),
    )
    if reading.value:
        worth = found.with_columns(pl.col("worth", "worth_low", "worth_high") / pl.col("worth_all"))
        section.chart(
            dots(
                worth,
                "worth",
                "group",
                interval=("worth_low", "worth_high"),
                title=f"{reading.value} of {reading.name} per {entity.name} and month",
                x_axis=Axis("times the average"),
                rules=[Rule(1.0, axis="x")],
            ),
            f"The average is {found['worth_all'][0]:.4g}.",
        )


def _rates(view: View, entity: Reading, reading: Reading, column: str) -> pl.DataFrame:
    """By value of a column, facts and value per entity-month: ratios of sums, with the variance of Cochran (1977)."""
    until = view.instant(view.until)
    found = view.frame(
        f"""
        WITH member AS (
            SELECT id, {quoted(column)}::VARCHAR AS kind, greatest({days(until, "seen")}, 0) / {MONTH} AS months
            FROM {members(view, entity, [column])} WHERE {quoted(column)} IS NOT NULL
        ), done AS (SELECT id, sum(n) AS n, sum(v) AS v FROM {deeds(view, entity, reading)} AS deed GROUP BY 1),
        each AS (
            SELECT kind, months, coalesce(n, 0)::DOUBLE AS n, coalesce(v, 0)::DOUBLE AS v
            FROM member LEFT JOIN done USING (id)
        )
        SELECT kind, count(*) AS members, sum(months) AS m, sum(n) AS n, sum(v) AS v, sum(months * months) AS mm,
               sum(n * n) AS nn, sum(n * months) AS nm, sum(v * v) AS vv, sum(v * months) AS vm
        FROM each GROUP BY 1 HAVING count(*) >= {LEAST} ORDER BY sum(n) / sum(months) DESC
        """
    )
    named = found.with_columns(group=pl.format("{}: {}", pl.lit(column), pl.col("kind")))
    return named.with_columns(*_ratio("rate", "n"), *_ratio("worth", "v"))


def _ratio(name: str, sums: str) -> list[pl.Expr]:
    rate = pl.col(sums) / pl.col("m")
    spread = pl.col(sums * 2) - 2 * rate * pl.col(f"{sums}m") + rate * rate * pl.col("mm")
    reach = 1.96 * spread.clip(lower_bound=0).sqrt() / pl.col("m")
    every = pl.col(sums).sum() / pl.col("m").sum()
    low, high = (rate - reach).clip(lower_bound=0), rate + reach
    named = {name: rate, f"{name}_low": low, f"{name}_high": high, f"{name}_all": every}
    return [column.alias(alias) for alias, column in named.items()]
