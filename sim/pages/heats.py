"""Heat maps: a number for every pair of categories, as a colour and, where there is room, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from sim.errors import ParameterError
from sim.pages.axes import PLAIN, Axis, category, columns, data, drawn
from sim.pages.chart import Chart, Size
from sim.pages.library import altair

if TYPE_CHECKING:
    from altair.typing import ChartType

CELL = 22


def heat(
    frame: pl.DataFrame,
    x: str,
    y: str,
    value: str,
    *,
    text: str = "",
    diverging: bool = False,
    domain: tuple[float, float] | None = None,
    title: str = "",
    x_axis: Axis = PLAIN,
    y_axis: Axis = PLAIN,
    legend: Axis = PLAIN,
    size: Size = "wide",
    height: int | None = None,
    description: str = "",
) -> Chart:
    """A coloured cell for every row, both axes in the order of the rows; `text` is the d3 format of numbers in them.

    `diverging` tells what is above zero from what is below; `domain` fixes what the ends of the colours mean.
    """
    shown = columns(frame, x=x, y=y, value=value)
    low, high = domain or _reach(shown, diverging)
    sides = {"x": category("x", x_axis, shown, size), "y": category("y", y_axis, shown, size)}
    base = altair.Chart(data(shown)).encode(**sides)
    bar = None if text else altair.Legend(gradientThickness=10, title=legend.title or None, **_format(legend))
    scale = altair.Scale(domain=[low, high], range="diverging" if diverging else "heatmap", clamp=True)
    fill = altair.Color(field="value", type="quantitative", scale=scale, legend=bar)
    layers: list[ChartType] = [base.mark_rect(style="cell").encode(color=fill)]
    if text:
        strong = f"(datum.value - {low}) > 0.55 * {high - low}"
        outer = f"abs(datum.value) > 0.6 * {high}" if diverging else strong
        number = altair.Text(field="value", type="quantitative", format=text)
        given = base.transform_filter("isValid(datum.value)")
        layers.append(given.transform_filter(f"!({outer})").mark_text(style="onlow").encode(text=number))
        layers.append(given.transform_filter(outer).mark_text(style="onhigh").encode(text=number))
    tall = height or max(120, 50 + CELL * shown["y"].n_unique())
    return drawn(layers, title, size, tall, description)


def _reach(shown: pl.DataFrame, diverging: bool) -> tuple[float, float]:
    values = shown["value"].drop_nulls()
    if not shown["value"].dtype.is_numeric():
        raise ParameterError(f"a heat map needs numbers, not {shown['value'].dtype}")
    least, most = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)  # type: ignore[arg-type]
    if diverging:
        most = max(abs(least), abs(most)) or 1.0
        return -most, most
    least = min(least, 0.0)
    return least, most if most > least else least + 1.0


def _format(legend: Axis) -> dict[str, Any]:
    return {"format": legend.format} if legend.format else {}
