"""Columns of a time axis drawn with the dots of Braille letters: means as a line, intervals as shade around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sim.cli.terminal.show import short

Dots = NDArray[np.bool_]

WIDTH = 72
"""Letters across, without the labels of the axis."""
_ROWS = {1: 10, 2: 5, 3: 4, 4: 3, 5: 2}
"""Rows of letters between two ticks, by the number of ticks."""
_STEPS = (1.0, 2.0, 2.5, 4.0, 5.0, 10.0)
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Which bit of a Braille letter each of its four by two dots is."""
_LABEL = 7
_STRIDES = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis of values: so many ticks, `step` apart, from 0."""

    step: float
    ticks: int

    @property
    def top(self) -> float:
        """The value at the upper edge."""
        return self.step * self.ticks

    @property
    def rows(self) -> int:
        """Letters from the upper edge to 0."""
        return self.ticks * _ROWS[self.ticks]


def scale(highest: float) -> Scale:
    """The finest round scale with at most five ticks that has room for that value; whole numbers where it is small."""
    unit = 10.0 ** math.floor(math.log10(max(highest, 1.0) / 5))
    able = (own * unit for own in _STEPS if own * unit * 5 >= highest * (1 - 1e-9))
    step = max(math.ceil(next(able)), 1)
    return Scale(step, max(math.ceil(highest / step * (1 - 1e-9)), 1))


def steps(edges: Sequence[float], means: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> Dots:
    """The dots, bool[4 * rows, 2 * WIDTH], the uppermost first: n values over n columns that n + 1 `edges` bound.

    Shade keeps a distance of one dot from the line, so that this stands out.
    """
    axis = scale(max(highs, default=1.0))
    height, width = 4 * axis.rows, 2 * WIDTH
    at = edges[0] + (np.arange(width) + 0.5) / width * (edges[-1] - edges[0])
    column = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, len(means) - 1)
    line, low, high = (_levels(values, axis.top, height)[column] for values in (means, lows, highs))
    level = np.arange(height)[:, None]
    before = np.append(line[:1], line[:-1])
    drawn: Dots = (np.minimum(line, before) <= level) & (level <= np.maximum(line, before))
    marked = (level % 2 == 0) | (level == low) | (level == high)
    shade = (low <= level) & (level <= high) & marked & (np.arange(width) % 2 == 0)
    near = (np.minimum(line, before) - 1 <= level) & (level <= np.maximum(line, before) + 1)
    return np.flipud(drawn | (shade & ~near))


def letters(dots: Dots) -> list[str]:
    """Rows of Braille letters from bool[4 * rows, 2 * columns]."""
    cells = dots.reshape(dots.shape[0] // 4, 4, dots.shape[1] // 2, 2)
    codes = 0x2800 + np.einsum("rdcs,ds->rc", cells, _BITS)
    return ["".join(map(chr, row)) for row in codes.tolist()]


def framed(rows: Sequence[str], axis: Scale, begins: Sequence[datetime], edges: Sequence[float]) -> list[str]:
    """Rows with the labels of ticks, and below them the time axis with the months that have room."""
    every = axis.rows // axis.ticks
    told = [_tick(axis.top - axis.step * (n // every)) if n % every == 0 else "" for n in range(len(rows))]
    wide = max(map(len, told))
    lines = [
        f"{label:>{wide}} {'┤' if label else '│'}{row}".rstrip("\u2800") for label, row in zip(told, rows, strict=True)
    ]
    places = [int((edge - edges[0]) / (edges[-1] - edges[0]) * WIDTH) for edge in edges[:-1]]
    apart = (places[-1] - places[0]) / max(len(places) - 1, 1)
    stride = next((own for own in _STRIDES if own * apart >= _LABEL + 2), _STRIDES[-1])
    foot, names = ["─"] * WIDTH, [" "] * (WIDTH + _LABEL)
    for place, begin in list(zip(places, begins, strict=True))[::stride]:
        foot[place] = "┬"
        names[place : place + _LABEL] = f"{begin:%Y-%m}"
    return [*lines, f"{'0':>{wide}} ┼{''.join(foot)}", f"{'':>{wide}}  {''.join(names).rstrip()}"]


def _tick(value: float) -> str:
    """A round value without zeros that say nothing: 2.5k, 40."""
    text = short(value)
    number = text.rstrip("kMGT")
    return (number.rstrip("0").rstrip(".") if "." in number else number) + text[len(number) :]


def _levels(values: Sequence[float], top: float, height: int) -> NDArray[np.int64]:
    """The dot, counted from below, at which each value lies."""
    found = np.asarray(values, dtype=np.float64) / top * height
    return np.clip(found.astype(np.int64), 0, height - 1)
