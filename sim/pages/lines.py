"""Lines, steps and stacked areas: what goes on over time, or over anything else that is ordered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from sim.pages.axes import PLAIN, Axis, Rule, channel, colour, columns, data, drawn, key, kind, series
from sim.pages.chart import Chart, Size
from sim.pages.library import altair

if TYPE_CHECKING:
    from altair.typing import ChartType

Curve = Literal["linear", "monotone", "step-after"]


def lines(
    frame: pl.DataFrame,
    x: str,
    y: str,
    *,
    by: str | None = None,
    band: tuple[str, str] | None = None,
    title: str = "",
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    rules: Sequence[Rule] = (),
    dashed: Collection[str] = (),
    points: bool = False,
    ramp: bool = False,
    curve: Curve = "linear",
    size: Size = "wide",
    height: int = 260,
    description: str = "",
) -> Chart:
    """A line for every value of `by`, over the area between the two columns of `band`.

    Series named in `dashed` are dashed; `points` marks the rows; `ramp` colours the series by their order. A row whose
    `y` is null is a gap.
    """
    low, high = band or (None, None)
    shown = columns(frame, x=x, y=y, by=by, y_low=low, y_high=high)
    base = altair.Chart(data(shown)).encode(x=channel("x", kind(frame, x), x_axis), **colour(shown, ramp, "stroke"))
    dash = {"strokeDash": _dash(shown, dashed)} if by and dashed else {}
    mark = base.mark_line(interpolate=curve, clip=True, point={"size": 28, "filled": True} if points else False)
    layers: list[ChartType] = [mark.encode(y=channel("y", "quantitative", y_axis), **dash)]
    if band:
        area = base.mark_area(opacity=0.18, interpolate=curve, clip=True)
        layers.insert(0, area.encode(y=channel("y_low", "quantitative", y_axis), y2="y_high"))
    return drawn(layers, title, size, height, description, rules)


def steps(frame: pl.DataFrame, x: str, y: str, **options: Any) -> Chart:
    """What holds until it changes, as survival curves do; the options are those of `lines`."""
    return lines(frame, x, y, curve="step-after", **options)


def areas(
    frame: pl.DataFrame,
    x: str,
    y: str,
    by: str,
    *,
    title: str = "",
    share: bool = False,
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    size: Size = "wide",
    height: int = 260,
    description: str = "",
) -> Chart:
    """Stacked areas, one for every value of `by`, the first at the bottom; `share` scales every stack to one."""
    shown = columns(frame, x=x, y=y, by=by)
    place = pl.col("by").replace_strict(series(shown), range(len(series(shown))), return_dtype=pl.Int64)
    up = channel("y", "quantitative", y_axis).stack("normalize" if share else "zero")
    mark = altair.Chart(data(shown.with_columns(place=place))).mark_area(opacity=0.85, clip=True)
    layer = mark.encode(x=channel("x", kind(frame, x), x_axis), y=up, order="place:Q", **colour(shown))
    return drawn([layer], title, size, height, description)


def _dash(shown: pl.DataFrame, dashed: Collection[str]) -> altair.StrokeDash:
    names = series(shown)
    patterns = [[5, 4] if name in dashed else [1, 0] for name in names]
    scale = altair.Scale(domain=names, range=patterns)
    return altair.StrokeDash(field="by", type="nominal", scale=scale, legend=key("stroke"))
