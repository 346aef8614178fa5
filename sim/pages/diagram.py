"""Diagrams: boxes with arrows between them, as charts. Positions are pixels, y downwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.pages.axes import drawn
from sim.pages.chart import WIDTHS, Chart, Size
from sim.pages.labels import placed
from sim.pages.library import altair

Point = tuple[float, float]
BOX = (138.0, 40.0)
"""Width and height of a box, where columns are few."""

LEAST = 84.0
"""The width of a box that names still fit into."""

GAP = 78.0
"""What boxes leave free between their columns for an arrow with its text, if they can."""

LANE = 9.0
"""How far from the middle of a side arrows may leave and come, so that those there and back do not meet."""

EDGE = 6.0
"""Room left and right of all boxes."""

TIP = 5.0
"""Room for the tip of an arrow."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box: its name in bold, and a line below it."""

    name: str
    note: str
    at: Point


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow from box to box with its text; `bend` moves it downwards, in pixels, to pass by others."""

    source: str
    target: str
    text: str = ""
    bend: float = 0.0
    width: float = 1.2


def diagram(nodes: Sequence[Node], edges: Sequence[Edge], height: int, title: str, size: Size = "wide") -> Chart:
    """The chart of boxes and arrows; texts stand on their arrows, or beside them where they would cover anything."""
    places = {node.name: node.at for node in nodes}
    box = sized(len({round(x) for x, _ in places.values()}), size)
    curves = [_curve(places[edge.source], places[edge.target], edge.bend, box) for edge in edges]
    frame = _frame(curves, (WIDTHS[size], height))
    words = placed([edge.text for edge in edges], curves, [node.at for node in nodes], box)
    layers = _arrows(edges, curves, words, frame) if edges else []
    layers += _boxes(nodes, frame, box)
    told = "; ".join(f"{edge.source} to {edge.target} {edge.text}".strip() for edge in edges)
    return drawn(layers, title, size, round(frame.bottom - frame.top), f"{title}: {told}" if told else title)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The part of the plane that is seen."""

    right: float
    top: float
    bottom: float


def _frame(curves: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> _Frame:
    """What is asked for, and as much more as arrows need that go around boxes."""
    reached = np.vstack([*curves, [[0.0, 0.0], [float(size[0]), float(size[1])]]])
    right, bottom, top = reached[:, 0].max(), reached[:, 1].max(), reached[:, 1].min()
    return _Frame(
        right if right == size[0] else right + 4,
        top - 16 if top < 0 else 0.0,
        bottom if bottom == size[1] else bottom + 8,
    )


def layered(layers: Sequence[Sequence[str]], height: int, size: Size = "wide") -> Mapping[str, Point]:
    """Positions of names in columns from left to right, each column spread over the height."""
    width, margin = WIDTHS[size], sized(len(layers), size)[0] / 2 + EDGE
    step = (width - 2 * margin) / max(1, len(layers) - 1)
    return {
        name: (width / 2 if len(layers) == 1 else margin + column * step, height * (row + 0.5) / len(names))
        for column, names in enumerate(layers)
        for row, name in enumerate(names)
    }


def sized(columns: int, size: Size = "wide") -> Point:
    """Width and height of the boxes of a diagram with so many columns."""
    free = WIDTHS[size] - 2 * EDGE - GAP * (columns - 1)
    return min(BOX[0], max(LEAST, free / max(columns, 1))), BOX[1]


def _curve(source: Point, target: Point, bend: float, box: Point) -> NDArray[np.float64]:
    """A cubic curve of Bézier from side to side of two boxes, [n, 2]; boxes above each other meet on their right,
    and what comes back to its own box is a loop above it."""
    (ax, ay), (bx, by) = source, target
    if source == target:
        top = ay - box[1] / 2
        return _bezier((ax - 24, top), (ax - 44, top - 38), (ax + 44, top - 38), (ax + 24, top - TIP))
    half, gap = box[0] / 2, bx - ax
    side = 0.0 if abs(gap) < box[0] else math.copysign(1.0, gap)
    start = (ax + (side or 1.0) * half, ay + min(max(bend, -LANE), LANE))
    end = (bx - (side or -1.0) * (half + TIP), by + min(max(bend, -LANE), LANE))
    reach = side * abs(end[0] - start[0]) * 0.45 or abs(bend) + 34.0
    back = reach if side else -reach
    return _bezier(start, (start[0] + reach, start[1] + bend), (end[0] - back, end[1] + bend), end)


def _bezier(*points: Point) -> NDArray[np.float64]:
    share = np.linspace(0, 1, 41)[:, None]
    weights = np.hstack([(1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3])
    curve: NDArray[np.float64] = weights @ np.array(points)
    return curve


def _arrows(
    edges: Sequence[Edge], curves: Sequence[NDArray[np.float64]], words: Sequence[Point], frame: _Frame
) -> list[Any]:
    lines = pl.concat(
        pl.DataFrame({"x": curve[:, 0], "y": curve[:, 1]}).with_row_index("order").with_columns(edge=pl.lit(str(n)))
        for n, curve in enumerate(curves)
    )
    ends = [
        (*curve[-1], _angle(curve), *word, edge.text) for edge, curve, word in zip(edges, curves, words, strict=True)
    ]
    tips = pl.DataFrame(ends, schema=["x", "y", "angle", "mx", "my", "text"], orient="row")
    widths = pl.DataFrame({"edge": [str(n) for n in range(len(edges))], "width": [edge.width for edge in edges]})
    base = altair.Chart(_data(lines.join(widths, on="edge", maintain_order="left")))
    line = base.mark_line(style="link", strokeCap="butt").encode(
        **_at(frame), detail="edge:N", order="order:Q", strokeWidth=altair.StrokeWidth("width:Q", scale=None)
    )
    heads = altair.Chart(_data(tips))
    tip = heads.mark_point(style="link", shape="triangle", filled=True, size=70, opacity=1)
    texts = [heads.mark_text(style=style, dy=-1) for style in ("halo", "note")]
    return [
        line,
        tip.encode(**_at(frame), angle=altair.Angle("angle:Q", scale=None)),
        *(text.encode(**_at(frame, "mx", "my"), text="text:N") for text in texts),
    ]


def _boxes(nodes: Sequence[Node], frame: _Frame, box: Point) -> list[Any]:
    wide, high = box[0] / 2, box[1] / 2
    shown = pl.DataFrame(
        [
            (n.at[0], n.at[1], n.at[0] - wide, n.at[0] + wide, n.at[1] - high, n.at[1] + high, n.name, n.note)
            for n in nodes
        ],
        schema=["x", "y", "left", "right", "top", "bottom", "name", "note"],
        orient="row",
    )
    base = altair.Chart(_data(shown))
    body = base.mark_rect(style="node", cornerRadius=7)
    limit = box[0] - 8
    return [
        body.encode(**_at(frame, "left", "top"), x2="right", y2="bottom"),
        base.mark_text(style="strong", dy=-7, limit=limit).encode(**_at(frame), text="name:N"),
        base.mark_text(style="note", dy=9, limit=limit).encode(**_at(frame), text="note:N"),
    ]


def _at(frame: _Frame, x: str = "x", y: str = "y") -> dict[str, Any]:
    across = altair.Scale(domain=[0, frame.right], nice=False, zero=False)
    down = altair.Scale(domain=[frame.bottom, frame.top], nice=False, zero=False)
    return {
        "x": altair.X(field=x, type="quantitative", scale=across, axis=None),
        "y": altair.Y(field=y, type="quantitative", scale=down, axis=None),
    }


def _data(rows: pl.DataFrame) -> altair.InlineData:
    return altair.InlineData(values=rows.to_dicts())


def _angle(curve: NDArray[np.float64]) -> float:
    """Degrees by which a triangle that points up is turned to point along the curve's end."""
    back = curve[-1] - curve[-min(4, len(curve))]
    return math.degrees(math.atan2(back[0], -back[1]))
