"""Growth and adoption: how many entities there are over time, and which share of them has come to a state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import polars as pl

from sim.maths.units import YEAR
from sim.pages.axes import SHORT
from sim.pages.charts import Axis, lines
from sim.pages.page import Page, Section
from sim.quality.report.adoption import Adoption, Floats, adoption
from sim.quality.report.buckets import bucket
from sim.quality.report.fits import trend
from sim.quality.report.reading import Reading
from sim.quality.report.states import machines
from sim.quality.report.view import View, table
from sim.quality.tables import quoted

LEAST = 20
"""Entities that must come during the data, for a curve."""

WIDTHS = ((7.0, 84.0), (1.0, 12.0))
"""Periods in which births are counted: days, and the days of data that they need."""

FRESH = 0.05
"""The share of all entities that may be there at the start of a diffusion."""

NEARER = 0.1
"""How much more of the births a diffusion must explain than an exponential does, to be drawn undeclared."""


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
    late, spec = _late(view, entity), _declared(view, entity)
    days, births = _births(view, entity)
    fresh = late >= (1 - FRESH) * view.rows(entity)
    fitted = adoption(days, births) if fresh else None
    if fitted is not None and spec is None and not _nearer(fitted, days, births):
        fitted = None
    curves = {"measured": view.rows(entity) - late + np.append(0.0, births.cumsum())}
    curves |= {"Bass": fitted.total(days)} if fitted else {}
    curves |= {"declared": spec.total(days)} if spec else {}
    told = (f" {fitted.words()}" if fitted else "") + (f" Declared: {spec.figures()}." if spec else "")
    _drawn(section, view, days, curves, f"{entity.name}: all that there were", f"{late:,} came during the data.{told}")
    if len(curves) > 1:
        rates = {name: np.diff(total) / np.diff(days) for name, total in curves.items()}
        _drawn(section, view, (days[1:] + days[:-1]) / 2, rates, f"{entity.name}: births a day", "")


def _drawn(section: Section, view: View, days: Floats, curves: Mapping[str, Floats], title: str, words: str) -> None:
    at = [view.began + timedelta(days=float(day)) for day in days]
    shown = pl.concat([pl.DataFrame({"at": at, "y": curve}).with_columns(of=pl.lit(n)) for n, curve in curves.items()])
    by = "of" if len(curves) > 1 else None
    axis = Axis(format=SHORT, zero=True)
    dashed = [name for name in curves if name != "measured"]
    section.chart(
        lines(shown, "at", "y", by=by, dashed=dashed, title=title, y_axis=axis, size="half", height=220), words
    )


def _births(view: View, entity: Reading) -> tuple[Floats, Floats]:
    """The edges [n + 1] of whole weeks, days or parts of days since the start, and the births between them [n]."""
    width = next((width for width, least in WIDTHS if view.days >= least), view.days / 48)
    since = f"(epoch({view.at(entity)}) - epoch({view.instant(view.start)})) / {86_400 * width}"
    found = view.frame(
        f"SELECT floor({since})::INT AS cell, count(*) AS n FROM {table(entity)} WHERE {since} > 0 GROUP BY 1"
    )
    whole = int(view.days / width + 1e-9)
    births = np.zeros(whole + 1)
    births[np.minimum(found["cell"].to_numpy(), whole)] = found["n"].to_numpy()
    return np.arange(whole + 1, dtype=np.float64) * width, births[:whole]


def _declared(view: View, entity: Reading) -> Adoption | None:
    """The diffusion that the scenario declares; the facts of a scenario begin with its launch."""
    populations = view.declared.model.populations if view.declared else ()
    specs = [each.arrivals.diffusion for each in populations if each.name == entity.name and each.arrivals]
    return next((Adoption(spec.p * YEAR, spec.q * YEAR, float(spec.market)) for spec in specs if spec), None)


def _nearer(fitted: Adoption, days: Floats, births: Floats) -> bool:
    """Whether births come and go as a diffusion does, and not just grow or fade."""
    other = trend((days[1:] + days[:-1]) / 2, births)
    alone = other.of(births) if other is not None else 0.0
    return fitted.told and fitted.r2 > max(0.0, alone) + NEARER


def _adoption(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    """By state, the share of all entities there are by then that have ever entered it through a change.

    States that most are born in say nothing here, and are left out.
    """
    unit = bucket(view)
    start, until = (view.local(view.instant(moment)) for moment in view.interval)
    found = view.frame(
        f"""
        WITH entered AS (
            SELECT to_state AS state, {quoted(changes.key or "")} AS id, min({view.civil(changes)}) AS t
            FROM {table(changes)} GROUP BY ALL
        ), came AS (
            SELECT date_trunc('{unit}', {view.civil(entity)}) AS moment, count(*) AS n FROM {table(entity)} GROUP BY 1
        ), born AS (
            SELECT state FROM {table(entity)} GROUP BY 1 HAVING count(*) > (SELECT count(*) / 2 FROM {table(entity)})
        ),
        counted AS (
            SELECT state, date_trunc('{unit}', t) AS moment, count(*) AS n FROM entered
            WHERE state NOT IN (SELECT state FROM born WHERE state IS NOT NULL) GROUP BY ALL
        ),
        moments AS (
            SELECT unnest(generate_series(date_trunc('{unit}', {start}), {until}, INTERVAL 1 {unit})) AS moment
        ),
        grid AS (SELECT * FROM moments, (SELECT DISTINCT state FROM counted) WHERE moment < {until})
        SELECT grid.state, grid.moment, coalesce(counted.n, 0) AS entered, coalesce(came.n, 0) AS came
        FROM grid LEFT JOIN counted ON counted.state = grid.state AND counted.moment = grid.moment
             LEFT JOIN came ON came.moment = grid.moment ORDER BY 1, 2
        """
    )
    if not found.height:
        return
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
