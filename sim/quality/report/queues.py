"""Resources: how busy they are through the day, and how long cases wait for them."""

from __future__ import annotations

import polars as pl

from sim.pages.charts import Axis, heat
from sim.pages.page import Page, Section
from sim.quality.report.funnels import span
from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table


def queues(page: Page, view: View) -> None:
    """Utilisation by hour of the day, and waiting times by resource."""
    loads, visits = view.of("load"), view.of("visits")
    if not loads and not visits:
        return
    section = page.section("Resources", "What cases queue for: utilisation is busy places over places that there are.")
    for reading in loads:
        _load(section, view, reading)
    for reading in visits:
        _waits(section, view, reading)


def _load(section: Section, view: View, reading: Reading) -> None:
    ended = view.local(f"{view.at(reading)} - INTERVAL 1 HOUR")
    found = view.frame(
        f"""
        SELECT resource, hour({ended})::INT AS hour, sum(busy) / nullif(sum(capacity), 0) AS used,
               avg(waiting) AS waiting
        FROM {table(reading)} GROUP BY ALL
        """
    )
    names = found["resource"].unique().sort()
    grid = pl.DataFrame({"hour": range(24)}, schema={"hour": pl.Int32}).join(names.to_frame(), how="cross")
    every = grid.join(found, on=["hour", "resource"], how="left", maintain_order="left")
    hours = Axis("hour of the day")
    title = "Utilisation by hour of the day"
    section.chart(
        heat(every, "hour", "resource", "used", text=".0%", domain=(0.0, 1.0), title=title, x_axis=hours),
        "Empty where nobody is on duty.",
    )
    title = "Cases that wait, on average, by hour of the day"
    section.chart(heat(every, "hour", "resource", "waiting", text=".1f", title=title, x_axis=hours))


def _waits(section: Section, view: View, reading: Reading) -> None:
    found = view.frame(
        f"""
        SELECT resource, count(*) AS visits, avg(waited_s) AS mean, quantile_cont(waited_s, 0.5) AS median,
               quantile_cont(waited_s, 0.95) AS p95, avg(served_s) AS served,
               count(*) FILTER (outcome <> 'served') / count(*) AS gone
        FROM {table(reading)} GROUP BY 1 ORDER BY 2 DESC
        """
    )
    rows = [
        [
            r["resource"],
            r["visits"],
            *(span(r[name]) for name in ("mean", "median", "p95", "served")),
            f"{r['gone']:.1%}",
        ]
        for r in found.to_dicts()
    ]
    names = ["resource", "visits", "mean wait", "median wait", "95% within", "mean service", "gave up"]
    caption = f"Waiting and service of {reading.process}"
    section.table(names, rows, caption, ["left", "right", "right", "right", "right", "right", "right"])
