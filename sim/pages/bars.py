"""Bars, histograms, and dots with intervals: amounts and estimates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from sim.pages.axes import PLAIN, Axis, Rule, category, channel, colour, columns, data, drawn, kind, series
from sim.pages.chart import Chart, Size
from sim.pages.library import altair

if TYPE_CHECKING:
    from altair.typing import ChartType

ROW = 24
ROOM: dict[Size, float] = {"wide": 1.08, "half": 1.16, "third": 1.3}
"""How much further than its longest bar an axis goes where text follows."""

BESIDE: dict[str, Any] = {"align": "left", "baseline": "middle", "dx": 4}
ABOVE: dict[str, Any] = {"baseline": "bottom", "dy": -3}


def bars(
    frame: pl.DataFrame,
    x: str,
    y: str,
    *,
    by: str | None = None,
    horizontal: bool = False,
    stacked: bool = False,
    labels: str | None = None,
    title: str = "",
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    rules: Sequence[Rule] = (),
    size: Size = "half",
    height: int | None = None,
    description: str = "",
) -> Chart:
    """A bar of length `y` at every `x`, in the order of the rows; those of `by` side by side, or `stacked`.

    `horizontal` bars lie, with `x` and its axis down the side. `labels` names a column of text for the bars' ends.
    """
    side, along = ("y", "x") if horizontal else ("x", "y")
    shown = columns(frame, by=by, label=labels, **{side: x, along: y})
    places = {side: category(side, x_axis, shown, size), **(_beside(side) if by and not stacked else {})}
    lengths = {
        along: channel(along, "quantitative", _roomy(y_axis, shown[along], size) if labels and horizontal else y_axis)
    }
    base = altair.Chart(data(shown)).encode(**places, **lengths)
    layers: list[ChartType] = [base.mark_bar().encode(**colour(shown))]
    if labels:
        layers.append(base.mark_text(style="label", **(BESIDE if horizontal else ABOVE)).encode(text="label:N"))
    many = len(series(shown)) if by and not stacked else 1
    tall = 46 + shown[side].n_unique() * (ROW if many == 1 else 8 + 14 * many) if horizontal else 220
    return drawn(layers, title, size, height or tall, description, rules)


def histogram(
    frame: pl.DataFrame,
    low: str,
    high: str,
    y: str,
    *,
    by: str | None = None,
    title: str = "",
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    rules: Sequence[Rule] = (),
    size: Size = "half",
    height: int = 220,
    description: str = "",
) -> Chart:
    """A bar of height `y` from `low` to `high`, numbers or times, for every row; those of `by` lie over each other."""
    shown = columns(frame, x=low, x_high=high, y=y, by=by)
    mark = altair.Chart(data(shown)).mark_rect(style="cell", opacity=0.6 if by else 1.0, clip=True)
    sides = {"x": channel("x", kind(frame, low), x_axis), "y": channel("y", "quantitative", y_axis)}
    layer = mark.encode(**sides, x2="x_high", y2=altair.Y2Datum(0), **colour(shown))
    return drawn([layer], title, size, height, description, rules)


def dots(
    frame: pl.DataFrame,
    x: str,
    y: str,
    *,
    interval: tuple[str, str] | None = None,
    declared: str | None = None,
    by: str | None = None,
    title: str = "",
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    rules: Sequence[Rule] = (),
    size: Size = "half",
    height: int | None = None,
    description: str = "",
) -> Chart:
    """Estimates `x` with the two columns of their `interval`, a row for every `y`, and a tick at what is `declared`."""
    low, high = interval or (None, None)
    shown = columns(frame, x=x, y=y, by=by, x_low=low, x_high=high, x_declared=declared)
    scale = Axis(**{**x_axis.__dict__, "zero": bool(x_axis.zero)}) if not x_axis.log else x_axis
    base = altair.Chart(data(shown)).encode(
        y=category("y", y_axis, shown, size, grid=True), **(_beside("y") if by else {})
    )
    layers: list[ChartType] = []
    if interval:
        reach = base.mark_rule(strokeWidth=2.5, opacity=0.55)
        layers.append(reach.encode(x=channel("x_low", "quantitative", scale), x2="x_high", **colour(shown)))
    point = base.mark_point(filled=True, size=64, opacity=1)
    layers.append(point.encode(x=channel("x", "quantitative", scale), **colour(shown)))
    if declared:
        tick = base.mark_tick(style="declared", thickness=2.5, size=14, orient="vertical")
        layers.append(tick.encode(x=channel("x_declared", "quantitative", scale)))
    return drawn(layers, title, size, height or max(90, 46 + shown.height * ROW), description, rules)


def _roomy(axis: Axis, lengths: pl.Series, size: Size) -> Axis:
    """The axis with room for text beyond the longest bar."""
    most = float(lengths.cast(pl.Float64).max() or 0.0)  # type: ignore[arg-type]
    return axis if axis.domain or axis.log or most <= 0 else replace(axis, domain=(0.0, most * ROOM[size]))


def _beside(side: str) -> dict[str, Any]:
    build = altair.XOffset if side == "x" else altair.YOffset
    return {f"{side}Offset": build(field="by", type="nominal", sort=None)}
