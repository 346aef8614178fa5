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

Span = tuple[Any, Any]
"""From where to where, in the values of an axis."""

THIN = 0.005
"""The part of the width of a plot that can still be seen."""

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
    spans: Sequence[Span] = (),
    dashed: Collection[str] = (),
    points: bool = False,
    ramp: bool = False,
    curve: Curve = "linear",
    size: Size = "wide",
    height: int = 260,
    description: str = "",
) -> Chart:
    """A line for every value of `by`, over the area between the two columns of `band`.

    Series named in `dashed` are dashed; `points` marks the rows; `ramp` colours the series by their order; the plot is
    shaded in `spans` of `x`. A row whose `y` is null is a gap.
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
    if spans:
        layers.insert(0, _shade(frame, x, spans, x_axis))
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


def _shade(frame: pl.DataFrame, x: str, spans: Sequence[Span], axis: Axis) -> ChartType:
    """Rectangles over the whole height; short ones are widened to what can be seen, and none leaves the plot."""
    least, most = frame[x].min(), frame[x].max()
    thin: Any = (most - least) * THIN  # type: ignore[operator]
    inside = [(max(low, least), min(max(high, low + thin), most)) for low, high in spans if low < most and high > least]
    shown = columns(
        pl.DataFrame(inside, schema={"x": frame.schema[x], "x_high": frame.schema[x]}, orient="row"),
        x="x",
        x_high="x_high",
    )
    mark: ChartType = altair.Chart(data(shown)).mark_rect(style="span")
    return mark.encode(x=channel("x", kind(frame, x), axis), x2="x_high")


def _dash(shown: pl.DataFrame, dashed: Collection[str]) -> altair.StrokeDash:
    names = series(shown)
    patterns = [[5, 4] if name in dashed else [1, 0] for name in names]
    scale = altair.Scale(domain=names, range=patterns)
    return altair.StrokeDash(field="by", type="nominal", scale=scale, legend=key("stroke"))
