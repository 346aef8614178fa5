"""The shape of days and weeks, on the clocks of the scenario's time zone."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.pages.charts import Axis, heat
from sim.pages.page import Page, Section
from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table
from sim.quality.report.volume import featured, follows, starts, thing

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST = 6
FEW = 4
"""Hours of a week that are told, not drawn, where there are no others."""

NEARLY = 0.97


def rhythm(page: Page, view: View) -> None:
    """For the largest streams, how many facts happen in each hour of the week."""
    streams = [reading for reading in featured(view) if view.rows(reading) >= 500 and not follows(view, reading)][:MOST]
    if view.days < 7 or not streams:
        return
    told = f"Facts by hour and day of the week in civil time ({view.zone}); 1 is the average hour."
    section = page.section("Week and day", told)
    for reading in streams:
        _week(section, view, reading)


def _week(section: Section, view: View, reading: Reading) -> None:
    found = view.frame(
        f"""
        SELECT isodow(t) AS day, hour(t) AS hour, count(*) AS n
        FROM (SELECT {view.civil(reading)} AS t FROM {table(reading)} WHERE {starts(reading)}) GROUP BY ALL
        """
    )
    grid = pl.DataFrame({"day": [d for d in range(1, 8) for _ in range(24)], "hour": list(range(24)) * 7})
    every = grid.cast(pl.Int64).join(found.cast(pl.Int64), on=["day", "hour"], how="left").fill_null(0)
    total = max(int(every["n"].sum()), 1)
    if appointed := _appointed(every, total):
        section.text(f"{thing(reading)}: {appointed}.")
        return
    shown = every.with_columns(
        times=pl.col("n") * 168 / total, name=pl.col("day").replace_strict(dict(enumerate(DAYS, 1)))
    )
    most = float(np.max(shown["times"].to_numpy()))
    section.chart(
        heat(
            shown,
            "hour",
            "name",
            "times",
            text=".1f",
            domain=(0.0, max(2.0, most)),
            title=f"{thing(reading)} by hour of the week",
            x_axis=Axis("hour of the day"),
        ),
        _words(every, total),
    )


def _appointed(every: pl.DataFrame, total: int) -> str:
    """When they happen, in words, where that is (nearly) always in the same few hours of the week."""
    most = every.sort("n", descending=True).head(FEW)
    if most["n"].sum() < NEARLY * total:
        return ""
    used = most.filter(pl.col("n") > (1 - NEARLY) * total)
    told = (f"{row['n'] / total:.0%} {DAYS[row['day'] - 1]} from {row['hour']}:00" for row in used.to_dicts())
    return ", ".join(told)


def _words(every: pl.DataFrame, total: int) -> str:
    """Where the peak is, and how quiet weekends and nights are."""
    by_hour = every.group_by("hour").agg(pl.col("n").sum()).sort("n")
    weekend = int(every.filter(pl.col("day") > 5)["n"].sum()) / total
    busiest, quietest = int(by_hour["hour"][-1]), int(by_hour["hour"][0])
    return f"Busiest from {busiest}:00, quietest from {quietest}:00; {weekend:.0%} on weekends (2 of 7 days are 29%)."
