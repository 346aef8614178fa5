"""Diagrams: texts of arrows cover neither boxes nor each other, however short the arrows are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sim.pages.diagram import Edge, Node, diagram, layered, sized
from sim.pages.labels import LETTER, LINE

RATES = ("12.2%/month", "0.839/month", "4.54/month", "0.03%/year", "2.1/day", "7.7%/month", "1.5/h")


def chain(columns):
    names = [f"state_{n}" for n in range(columns)]
    at = layered([[name] for name in names], 160)
    there = [Edge(a, b, text, -16.0) for (a, b), text in zip(itertools.pairwise(names), RATES, strict=False)]
    back = [Edge(b, a, text, 16.0) for (a, b), text in zip(itertools.pairwise(names), RATES[::-1], strict=False)]
    return at, diagram([Node(name, "1,234 at the end", at[name]) for name in names], there + back, 160, "chain")


def texts(chart):
    """The rectangles of all texts of arrows: x, y, half a width and half a height."""
    rows = [row for rows in chart.spec["datasets"].values() for row in rows if "mx" in row]
    return {(row["mx"], row["my"], LETTER * len(row["text"]) / 2, LINE / 2) for row in rows}


def apart(a, b):
    return abs(a[0] - b[0]) >= a[2] + b[2] - 1 or abs(a[1] - b[1]) >= a[3] + b[3] - 1


@pytest.mark.parametrize("columns", [2, 4, 5, 6, 7, 8])
def test_texts_cover_neither_boxes_nor_each_other(columns):
    at, chart = chain(columns)
    wide, high = sized(columns)
    boxes = [(x, y, wide / 2, high / 2) for x, y in at.values()]
    found = texts(chart)
    assert len(found) == 2 * (columns - 1)
    assert all(apart(text, box) for text in found for box in boxes)
    assert all(apart(a, b) for a, b in itertools.combinations(found, 2))


def test_boxes_become_narrow_before_arrows_become_short():
    widths = [sized(columns)[0] for columns in range(1, 9)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == widths[3] > widths[5]
    at, _ = chain(6)
    gaps = np.diff(sorted(x for x, _ in at.values())) - sized(6)[0]
    assert gaps.min() > 70
