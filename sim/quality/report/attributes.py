"""The distribution of every attribute: histograms of numbers, the most frequent values of text."""

from __future__ import annotations

import math
import re

import polars as pl

from sim.pages.axes import SHORT
from sim.pages.charts import Axis, bars, histogram
from sim.pages.page import Page, Section, shown
from sim.quality.report.funnels import SPANS, span
from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table
from sim.quality.tables import quoted

BINS = 36
TOP = 8
FEW = 12
"""Values of a number that are few enough to be shown one by one."""

RARE = 0.02
"""The share of all rows below which even the most frequent of many values is not worth a picture."""

OTHERS = "(others)"
DIGITS = (0, 1, 2)
"""Digits after the point to which numbers may be rounded."""

COUNTS = Axis(format=SHORT, whole=True, ticks=5)
TICKS = 4
"""What fits below a chart of a third of the width."""

SECONDS = re.compile(r"^seconds_|(?<!_m)(?<!_mm)(?<!_cm)(?<!_km)(?<!_per)_s$|_seconds$")
"""Names of columns that are durations in seconds."""

ROWS = 5_000_000
"""Rows that are looked at; of larger streams one in so many."""


def attributes(page: Page, view: View) -> None:
    """A small chart for every column that is not an id or a time."""
    told = [reading for reading in view.all.values() if view.rows(reading) and (reading.numbers or reading.texts)]
    if not told:
        return
    words = "Every attribute by itself; nulls are left out and counted below. Histograms leave out what is beyond the "
    section = page.section("Distributions", words + "outermost 0.1% at either end.")
    for reading in told:
        _stream(section.section(reading.name), view, reading)


def _stream(section: Section, view: View, reading: Reading) -> None:
    told: list[str] = []
    for column in reading.texts:
        told += _text(section, view, reading, column)
    for column in reading.numbers:
        if view.distinct(reading.name, column) <= min(FEW, view.rows(reading) // 5):
            told += _text(section, view, reading, column)
        else:
            _number(section, view, reading, column)
    for line in told:
        section.text(line)


def _rows(view: View, reading: Reading) -> str:
    """SQL for the rows that are looked at."""
    many = view.rows(reading)
    if many < 2 * ROWS or reading.id is None:
        return table(reading)
    return f"(SELECT * FROM {table(reading)} WHERE hash({quoted(reading.id)}) % {many // ROWS} = 0)"


def _text(section: Section, view: View, reading: Reading, column: str) -> list[str]:
    """Draw the most frequent values; a line of text instead where none of them is frequent."""
    name, rows = quoted(column), _rows(view, reading)
    found = view.frame(
        f"SELECT {name}::VARCHAR AS value, count(*) AS n FROM {rows} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} ORDER BY n DESC, {name} LIMIT {TOP}"
    )
    total = int(view.query(f"SELECT count({name}) FROM {rows}")[0][0])
    distinct, nulls = view.distinct(reading.name, column), _nulls(view, reading, column)
    if not total:
        return [f"{column}: only nulls."]
    if found["n"][0] == 1 and found.height > FEW // 2:
        return [f"{column}: {total:,} values, all different.{nulls}"]
    if distinct > FEW and found["n"][0] < RARE * total:
        often = f"{found['value'][0]} ({found['n'][0] / total:.2%})"
        return [f"{column}: {distinct:,} different values, most often {often}.{nulls}"]
    if found.height == 1:
        return [f"{column}: always {found['value'][0] or 'empty'}.{nulls}"]
    rest = total - int(found["n"].sum())
    if rest > 0:
        found = pl.concat([found, pl.DataFrame({"value": [OTHERS], "n": [rest]}, schema=found.schema)])
    elif column in reading.numbers:
        found = found.sort(pl.col("value").cast(pl.Float64, strict=False))
    share = found.with_columns(
        value=pl.when(pl.col("value") == "").then(pl.lit("(empty)")).otherwise("value"),
        share=pl.col("n") / total,
        label=pl.Series([f"{n / total:.1%}" for n in found["n"]]),
    )
    axis = Axis(format="%", zero=True, ticks=TICKS)
    section.chart(
        bars(
            share,
            "value",
            "share",
            horizontal=True,
            labels="label",
            title=f"{reading.name}.{column}",
            y_axis=axis,
            size="third",
            height=max(130, 46 + 22 * found.height),
        ),
        f"{max(distinct, found.height) if rest > 0 else found.height:,} values.{nulls}",
    )
    return []


def _number(section: Section, view: View, reading: Reading, column: str) -> None:
    name, rows = f"{quoted(column)}::DOUBLE", _rows(view, reading)
    found = view.frame(
        f"""
        SELECT quantile_cont({name}, 0.001) AS low, quantile_cont({name}, 0.999) AS high, avg({name}) AS mean,
               quantile_cont({name}, 0.5) AS median, stddev({name}) AS sd, {_steps(name)}
        FROM {rows} WHERE isfinite({name})
        """
    ).to_dicts()[0]
    low, high = found["low"], found["high"]
    if low is None or high <= low:
        section.text(f"{column}: {'nothing' if low is None else shown(low)} throughout.")
        return
    width = _width(high - low, next((10.0**-digits for digits in DIGITS if found[f"to_{digits}"]), None))
    binned = view.frame(
        f"SELECT floor(({name} - {low}) / {width}) AS bin, count(*) AS n FROM {rows} "
        f"WHERE {name} BETWEEN {low} AND {high} GROUP BY 1 ORDER BY 1"
    )
    lasts = bool(SECONDS.search(column))
    size, unit = next((each for each in SPANS if lasts and high >= 2 * each[0]), (1.0, "s" if lasts else ""))
    first = pl.col("bin") * width + low
    edges = binned.with_columns(low=first / size, high=(first + width) / size)
    years = found["to_0"] and low >= 1800 and high <= 2200
    large = max(abs(low), abs(high)) / size >= 10_000
    axis = Axis(unit, "d" if years else SHORT if large else "", zero=False, ticks=TICKS)
    text = span if lasts else "{:.0f}".format if years else shown
    section.chart(
        histogram(
            edges,
            "low",
            "high",
            "n",
            title=f"{reading.name}.{column}",
            x_axis=axis,
            y_axis=COUNTS,
            size="third",
            height=222,
        ),
        f"Mean {text(found['mean'])}, median {text(found['median'])}, sd {text(found['sd'])}."
        + _nulls(view, reading, column),
    )


def _steps(name: str) -> str:
    """SQL that says whether all values are rounded to so many digits."""
    return ", ".join(f"bool_and(abs({name} - round({name}, {digits})) < 1e-9) AS to_{digits}" for digits in DIGITS)


def _width(reach: float, step: float | None) -> float:
    """The width of bins: of values that are rounded, each bin has as many of them as any other."""
    return reach / BINS if step is None else step * max(1.0, math.ceil(reach / step / BINS - 1e-9))


def _nulls(view: View, reading: Reading, column: str) -> str:
    many = view.rows(reading)
    absent = many - view.columns[reading.name][column].count
    return f" {absent / many:.1%} null." if absent else ""
