"""Facts over time: whole months, weeks, days or hours of civil time, as fine as the interval bears."""

from __future__ import annotations

import polars as pl

from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table

_SIZES = ((400, "month"), (100, "week"), (8, "day"), (0.5, "hour"), (0, "minute"))


def bucket(view: View) -> str:
    """The unit of time in which things are counted."""
    return next(name for least, name in _SIZES if view.days > least or not least)


def counted(view: View, reading: Reading, value: str | None = None, where: str = "true") -> pl.DataFrame:
    """Facts a day, in whole buckets: `at`, `days` since the start, `length` in days, `n` a day of those `where` SQL is
    true, and `v`, the sum of the SQL `value` a day, and its `mean`. Buckets without facts are there, too."""
    unit = bucket(view)
    summed = f"coalesce(sum({value}), 0)" if value else "0"
    mean = f"avg({value})" if value else "NULL"
    start, until = view.local(view.instant(view.start)), view.local(view.instant(view.until))
    return view.frame(
        f"""
        WITH facts AS (
            SELECT date_trunc('{unit}', {view.civil(reading)}) AS t, count(*) FILTER ({where}) AS n,
                   {summed}::DOUBLE AS v, {mean}::DOUBLE AS mean
            FROM {table(reading)} GROUP BY 1
        ), every AS (
            SELECT unnest(generate_series(date_trunc('{unit}', {start}), {until}, INTERVAL 1 {unit})) AS t
        ), sized AS (
            SELECT t, date_diff('second', {start}, t) / 86400.0 AS days,
                   date_diff('second', t, t + INTERVAL 1 {unit}) / 86400.0 AS length
            FROM every WHERE t >= {start} AND t + INTERVAL 1 {unit} <= {until}
        )
        SELECT sized.t AS at, days, length, coalesce(n, 0) / length AS n, coalesce(v, 0) / length AS v, mean
        FROM sized LEFT JOIN facts USING (t) ORDER BY t
        """
    )
