"""What charts have in common: axes, reference lines, and columns under names that Vega-Lite cannot misread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from sim.errors import ParameterError
from sim.pages.chart import WIDTHS, Chart, Size
from sim.pages.library import altair

if TYPE_CHECKING:
    from altair.typing import ChartType

Kind = Literal["temporal", "quantitative", "nominal", "ordinal"]


@dataclass(frozen=True)
class Axis:
    """How a column is shown: its title, a d3 format, a logarithmic scale, whether zero belongs to it, its range,
    whether only whole numbers are told, roughly how many ticks of numbers, and labels by value (the only ticks then,
    where the column is a number)."""

    title: str = ""
    format: str = ""
    log: bool = False
    zero: bool | None = None
    domain: tuple[Any, Any] | None = None
    labels: Mapping[Any, str] | None = None
    whole: bool = False
    ticks: int = 6


@dataclass(frozen=True)
class Rule:
    """A reference line across the plot at a value of an axis."""

    value: float | str
    label: str = ""
    axis: Literal["x", "y"] = "y"


PLAIN = Axis()
MOMENT = (
    "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) ? '%H:%M' : "
    "utcdate(datum.value) > 1 ? '%b %-d' : utcmonth(datum.value) ? '%b' : '%Y')"
)
"""Times on an axis: years, months, days and hours, as short as they can be."""

SHORT = "~s"
"""The format of large numbers: 1.5k, 2M."""

COUNT = f"abs(datum.value) < 1000 ? format(datum.value, '~g') : format(datum.value, '{SHORT}')"
"""Large numbers on an axis, each as short as it can be by itself: 0 is no 0k, a half no 500m."""

MONTHS = 85
"""Pixels from tick to tick of a time axis, roughly."""

LETTER = 6.2
"""Pixels that a letter of an axis takes, on average."""

MANY = 40
"""Categories of which not every one can have its name."""


def columns(frame: pl.DataFrame, **names: str | None) -> pl.DataFrame:
    """The named columns under the keys' names, times as text in UTC and numbers that JSON can hold."""
    wanted = {key: name for key, name in names.items() if name is not None}
    missing = sorted(set(wanted.values()) - set(frame.columns))
    if missing:
        raise ParameterError(f"no column {', '.join(map(repr, missing))} to draw; there are {', '.join(frame.columns)}")
    return frame.select(
        (pl.col(name).cast(pl.String) if key == "by" else _plain(frame.schema[name], pl.col(name))).alias(key)
        for key, name in wanted.items()
    )


def kind(frame: pl.DataFrame, name: str) -> Kind:
    """What sort of axis a column asks for."""
    dtype = frame.schema[name]
    if dtype.is_temporal():
        return "temporal"
    return "quantitative" if dtype.is_numeric() or dtype == pl.Null else "nominal"


def data(frame: pl.DataFrame) -> altair.InlineData:
    """The rows of a frame of `columns`, inside the specification."""
    return altair.InlineData(values=frame.to_dicts())


def channel(name: str, of: Kind, axis: Axis, **scale: Any) -> Any:
    """The x or y channel of the column of that name."""
    options: dict[str, Any] = {"type": "utc"} if of == "temporal" else {}
    if of == "quantitative":
        options |= {"zero": axis.zero} if axis.zero is not None else {}
        options |= {"type": "log"} if axis.log else {}
        options |= {"domain": list(axis.domain), "nice": False} if axis.domain else {}
    build = altair.X if name.startswith("x") else altair.Y
    extra: dict[str, Any] = {"sort": None} if of in ("nominal", "ordinal") else {}
    return build(
        field=name,
        type=of,
        title=axis.title or None,
        axis=look(of, axis),
        scale=altair.Scale(**options, **scale),
        **extra,
    )


def look(of: Kind, axis: Axis) -> altair.Axis:
    """Ticks and labels of an axis."""
    options: dict[str, Any] = {"title": axis.title or None}
    if axis.format == SHORT and of == "quantitative":
        options["labelExpr"] = COUNT
    elif axis.format:
        options["format"] = axis.format
    elif of == "temporal":
        options |= {"labelExpr": MOMENT, "tickCount": altair.ExprRef(f"ceil(width / {MONTHS})")}
    if axis.labels:
        texts = json.dumps({str(value): text for value, text in axis.labels.items()})
        options["labelExpr"] = f"{texts}[toString(datum.value)] || datum.label"
        if of == "quantitative":
            options["values"] = list(axis.labels)
    if of == "quantitative":
        options["tickCount"] = axis.ticks
        options |= {"tickMinStep": 1} if axis.whole else {}
    return altair.Axis(**options)


def references(wanted: Sequence[Rule]) -> list[ChartType]:
    """A layer for every reference line, and one for its label."""
    return [layer for rule in wanted for layer in _rule(rule)]


def _rule(rule: Rule) -> list[ChartType]:
    base = altair.Chart(altair.InlineData(values=[{}]))
    at = altair.datum(rule.value)
    line = base.mark_rule(style="reference").encode(**{rule.axis: at})
    if not rule.label:
        return [line]
    upright = rule.axis == "x"
    place: dict[str, Any] = {"align": "left", "baseline": "top", "dx": 4} if upright else {"align": "right"}
    place |= {} if upright else {"baseline": "bottom", "dy": -3}
    texts = [base.mark_text(style=style, text=rule.label, **place) for style in ("halo", "note")]
    across = {"x": at, "y": altair.value(0)} if upright else {"y": at, "x": altair.value("width")}
    return [line, *(text.encode(**across) for text in texts)]


def colour(shown: pl.DataFrame, ramp: bool = False, symbol: str = "square") -> dict[str, Any]:
    """The channel that tells the values of `by` apart, in the order of the rows; none where there is no such column."""
    if "by" not in shown.columns:
        return {}
    names = series(shown)
    ramped: dict[str, Any] = {"range": "ordinal"} if ramp else {}
    scale = altair.Scale(domain=names, **ramped)
    legend = key(symbol)
    return {"color": altair.Color(field="by", type="ordinal" if ramp else "nominal", scale=scale, legend=legend)}


def key(symbol: str) -> altair.Legend:
    """The legend above a plot, its symbols squares or `stroke`s."""
    return altair.Legend(orient="top", direction="horizontal", title=None, columns=6, symbolType=symbol)


def series(shown: pl.DataFrame) -> list[str]:
    """The values of `by`, in the order of the rows."""
    return [str(name) for name in shown["by"].unique(maintain_order=True)]


def category(name: str, axis: Axis, shown: pl.DataFrame, size: Size = "wide", **options: Any) -> Any:
    """The x or y channel of a column whose values stand side by side, in the order of the rows.

    Names that would not fit beside each other are turned.
    """
    build = altair.X if name.startswith("x") else altair.Y
    names = shown[name].cast(pl.String).unique(maintain_order=True)
    needed = LETTER * float(names.str.len_chars().max() or 0) * len(names)  # type: ignore[arg-type]
    turned = {"labelAngle": -38 if needed > WIDTHS[size] * 0.85 else 0} if name.startswith("x") else {}
    shape = look("nominal", axis).to_dict() | turned | {"labelOverlap": len(names) > MANY}
    order = altair.Scale(domain=shown[name].unique(maintain_order=True).to_list())
    face = altair.Axis(**shape, **options)
    return build(field=name, type="nominal", sort=None, scale=order, axis=face, title=axis.title or None)


def drawn(
    layers: Sequence[ChartType],
    title: str = "",
    size: Size = "wide",
    height: int = 260,
    description: str = "",
    rules: Sequence[Rule] = (),
) -> Chart:
    """Layers of Altair and reference lines as a chart of that size in pixels, axes included."""
    fit = altair.AutoSizeParams(type="fit", contains="padding")
    layered = altair.layer(*layers, *references(rules)).properties(width=WIDTHS[size], height=height, autosize=fit)
    spec = layered.to_dict()
    spec.pop("config", None)
    return Chart(spec, title, size, description or title)


def _plain(dtype: pl.DataType, column: pl.Expr) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        naive = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return naive.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    if isinstance(dtype, pl.Date):
        return column.dt.strftime("%Y-%m-%dT00:00:00Z")
    if dtype.is_float() or dtype.is_decimal():
        number = column.cast(pl.Float64)
        return pl.when(number.is_finite()).then(number)
    return column if dtype.is_integer() or dtype == pl.Null else column.cast(pl.String)
