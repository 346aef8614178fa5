"""Where the texts of arrows go: on their arrow where there is room, else beside it, and never over each other or a box.

Positions are tried in an order of preference, and the one that covers least is taken, arrow by arrow (the greedy method
of J. Christensen, J. Marks and S. Shieber 1995, "An empirical study of algorithms for point-feature label placement").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float]

LETTER, LINE = 5.6, 13.0
"""Width of a letter and height of a line, in pixels."""

PLACES = (0.42, 0.5, 0.34, 0.6, 0.26, 0.7)
"""Where along an arrow, the best first."""

BESIDE = (0.0, -9.5, 9.5, -29.0, 29.0)
"""How far above or below it; the last also are above or below the boxes that a short arrow stands between."""

STUB = 34.0
"""How much of an arrow must be seen besides a text that stands on it."""


def placed(
    texts: Sequence[str], curves: Sequence[Floats], boxes: Sequence[Point], box: tuple[float, float]
) -> list[Point]:
    """The middle of each text; `curves` [n, 2] are their arrows, `boxes` the middles of boxes of that width and height.

    Texts on short arrows are placed first, as they have least choice.
    """
    taken = [_around(at, *box) for at in boxes]
    lengths = [float(np.sum(np.hypot(*np.diff(curve, axis=0).T))) for curve in curves]
    found: dict[int, Point] = {}
    for place in np.argsort(lengths, kind="stable").tolist():
        others = np.vstack([curve for other, curve in enumerate(curves) if other != place] or [np.empty((0, 2))])
        size = (LETTER * len(texts[place]), LINE)
        found[place] = _best(curves[place], size, lengths[place] < size[0] + STUB, taken, others)
        if texts[place]:
            taken.append(_around(found[place], *size))
    return [found[place] for place in range(len(texts))]


def _best(curve: Floats, size: Point, short: bool, taken: Sequence[Floats], others: Floats) -> Point:
    """The position with least harm; on the arrow itself only where the arrow is not too `short` for that."""
    choices = [(share, off) for off in (BESIDE[1:] if short else BESIDE) for share in PLACES]
    points = [_beside(curve, share, off) for share, off in choices]
    harm = [_covered(_around(at, *size), taken, others) + 2.0 * rank for rank, at in enumerate(points)]
    return points[int(np.argmin(harm))]


def _beside(curve: Floats, share: float, off: float) -> Point:
    at = curve[round((len(curve) - 1) * share)]
    return float(at[0]), float(at[1]) + off


def _covered(area: Floats, taken: Sequence[Floats], others: Floats) -> float:
    """Square pixels of boxes and texts that are covered, and the points of other arrows, dearer than a worse place."""
    overlaps = [np.clip(np.minimum(area[1], one[1]) - np.maximum(area[0], one[0]), 0.0, None) for one in taken]
    inside = np.all((others > area[0]) & (others < area[1]), axis=1).sum()
    return float(sum(one[0] * one[1] for one in overlaps)) + 8.0 * float(inside)


def _around(middle: Point, wide: float, high: float) -> Floats:
    """The least and the greatest corner of a rectangle: [2, 2]."""
    half = np.array([wide / 2, high / 2])
    return np.array([middle - half, middle + half])
