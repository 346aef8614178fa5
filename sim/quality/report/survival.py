"""Survival: how long states last, and how long entities, as curves of Kaplan and Meier.

E. L. Kaplan and P. Meier 1958, "Nonparametric estimation from incomplete observations". What has not ended when the
data end is censored. Durations are put into narrow bins, in which half of the censored count as at risk (the actuarial
estimate), so that the database sends bins and not spells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from sim.pages.charts import Axis, steps
from sim.pages.page import Page, Section
from sim.quality.report.funnels import span
from sim.quality.report.lives import FEW, days
from sim.quality.report.reading import Reading
from sim.quality.report.segments import columns
from sim.quality.report.states import machines
from sim.quality.report.view import View, table
from sim.quality.tables import literal, quoted

BINS = 240
HIGH = 0.6
"""Shares that are so high are seen better on an axis that does not begin at nothing."""

UNITS = (("years", 365.25, 1500.0), ("months", 365.25 / 12, 100.0), ("days", 1.0, 4.0), ("hours", 1 / 24, 0.15))


def survival(page: Page, view: View) -> None:
    """For every kind of entity with states: how long each state lasts, and how long it takes to reach an end."""
    told = machines(view)
    if not told:
        return
    words = "The share that is still there after so long, of those who came during the data; what lasts on is censored."
    section = page.section("Survival", words)
    for entity, changes in told:
        _states(section, view, entity, changes)
        _lives(section, view, entity, changes)


def product_limit(bins: pl.DataFrame) -> pl.DataFrame:
    """Survival from bins of durations with columns `by`, `bin`, `ended` and `censored`: `share` at each bin's end.

    Curves end where fewer than ten are left at risk.
    """
    ordered = bins.sort("by", "bin")
    after = (pl.col("ended") + pl.col("censored")).cum_sum(reverse=True).over("by")
    risk = after - pl.col("censored") / 2
    held = ordered.with_columns(after=after, kept=1 - pl.col("ended") / pl.when(risk > 0).then(risk))
    counted = held.filter(pl.col("after") >= 10)
    return counted.with_columns(share=pl.col("kept").clip(0, 1).cum_prod().over("by"))


def _states(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    key, until = quoted(entity.key or ""), view.instant(view.until)
    fresh = f"{view.at(entity, 'born_at')} >= {view.instant(view.start)}"
    came = (
        f"SELECT {key} AS id, {view.at(entity)} AS t, state, {fresh} AS fresh FROM {table(entity)} UNION ALL "
        f"SELECT {quoted(changes.key or '')}, {view.at(changes)}, to_state, true FROM {table(changes)}"
    )
    spells = f"""
        SELECT state AS who, {days(f"coalesce(next, {until})", "t")} AS length, next IS NOT NULL AS over FROM (
            SELECT *, lead(t) OVER (PARTITION BY id ORDER BY t) AS next FROM ({came})
            WHERE {view.sampled("id", view.rows(entity))}
        ) WHERE fresh AND state IN (SELECT from_state FROM {table(changes)})
    """
    note = view.note(view.rows(entity), "entities")
    _drawn(section, view, spells, f"How long states of {entity.name} last", note, "share still in the state")


def _lives(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    ends = _ends(view, changes)
    if not ends:
        return
    group = next(iter(columns(view, entity)), None)
    by = f"{quoted(group)}::VARCHAR" if group else literal(f"all {entity.name}s")
    key, until = quoted(entity.key or ""), view.instant(view.until)
    listed = ", ".join(map(literal, ends))
    spells = f"""
        WITH gone AS (
            SELECT {quoted(changes.key or "")} AS id, min({view.at(changes)}) AS t FROM {table(changes)}
            WHERE to_state IN ({listed}) GROUP BY 1
        ), born AS (
            SELECT {key} AS id, {view.at(entity, "born_at")} AS born, {by} AS who FROM {table(entity)}
            WHERE {view.sampled(entity.key or "", view.rows(entity))}
        )
        SELECT who, {days(f"coalesce(t, {until})", "born")} AS length, t IS NOT NULL AS over
        FROM born LEFT JOIN gone USING (id) WHERE born >= {view.instant(view.start)} AND who IS NOT NULL
    """
    title = f"From the birth of {entity.name} to {' or '.join(ends)}" + (f", by {group}" if group else "")
    _drawn(section, view, spells, title, view.note(view.rows(entity), "entities"), "share still there")


def _ends(view: View, changes: Reading) -> list[str]:
    """States that are entered and never left."""
    found = view.frame(
        f"SELECT DISTINCT to_state FROM {table(changes)} WHERE to_state NOT IN "
        f"(SELECT from_state FROM {table(changes)} WHERE from_state IS NOT NULL) ORDER BY 1"
    )
    return [str(name) for name in found["to_state"]]


def _drawn(section: Section, view: View, spells: str, title: str, note: str, axis: str) -> None:
    bins, width = _bins(view, spells)
    if bins is None:
        return
    curves = product_limit(bins)
    unit, length = next(((name, days) for name, days, least in UNITS if width * BINS >= least), ("minutes", 1 / 1440))
    lived = curves.with_columns(after=(pl.col("bin") + 1) * width / length).select("by", "after", "share")
    fresh = lived.select("by").unique(maintain_order=True).with_columns(after=pl.lit(0.0), share=pl.lit(1.0))
    shown = pl.concat([fresh, lived]).sort("by", "after")
    section.chart(
        steps(
            shown, "after", "share", by="by", title=title, size="half", height=250,
            x_axis=Axis(unit), y_axis=Axis(axis, format="%", domain=(_floor(min(shown["share"])), 1.0)),
        ),
        _medians(shown, unit) + note,
    )  # fmt: skip


def _floor(least: float) -> float:
    """Where the axis of shares begins: at nothing, or below curves that stay high."""
    return 0.0 if least < HIGH else math.floor(10 * least - 0.5) / 10


def _bins(view: View, spells: str) -> tuple[pl.DataFrame | None, float]:
    """Ended and censored spells by bin; and the width of a bin, in days."""
    top = view.frame(f"SELECT quantile_cont(length, 0.995) AS top, count(*) AS n FROM ({spells}) WHERE length >= 0")
    if not top["top"][0] or top["n"][0] < FEW:
        return None, 0.0
    width = float(top["top"][0]) / BINS
    found = view.frame(
        f"""
        SELECT who AS "by", least(floor(length / {width}), {BINS})::INT AS bin, count(*) FILTER (over) AS ended,
               count(*) FILTER (NOT over) AS censored
        FROM ({spells}) WHERE length >= 0 GROUP BY ALL
        """
    )
    kept = found.filter(pl.col("ended").sum().over("by") + pl.col("censored").sum().over("by") >= FEW)
    return (kept, width) if kept.height else (None, width)


def _medians(shown: pl.DataFrame, unit: str) -> str:
    names: Sequence[str] = shown["by"].unique(maintain_order=True).to_list()
    halves = shown.filter(pl.col("share") <= 0.5).group_by("by").agg(pl.col("after").min())
    found = dict(zip(halves["by"], halves["after"], strict=True))
    if not found:
        return "No curve reaches its median."
    length = next((days for name, days, _ in UNITS if name == unit), 1 / 1440)
    told = [f"{name} {_span(found[name], unit, length)}" if name in found else f"{name} not reached" for name in names]
    return f"Medians: {'; '.join(told)}."


def _span(many: float, unit: str, length: float) -> str:
    """So many of a unit of that `length` in days; in a smaller one where it is not even one of it."""
    return f"{many:.3g} {unit}" if many >= 1 else span(many * length * 86_400)
