"""A course through points: held from one to the next, or interpolated linearly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from sim.maths.arrays import Elapsed, Floats, Times

Interpolation = Literal["step", "linear"]


@dataclass(frozen=True)
class Course:
    """Levels float64[k] at ascending places int64[k]; the first and the last level extend outwards."""

    places: Times
    levels: Floats
    interpolation: Interpolation

    @classmethod
    def of(cls, points: Mapping[int, float], interpolation: Interpolation) -> Self:
        """From a mapping of place to level, in any order."""
        places = sorted(points)
        levels = np.array([points[place] for place in places], dtype=np.float64)
        return cls(np.array(places, dtype=np.int64), levels, interpolation)

    @classmethod
    def evenly(cls, levels: Sequence[float], first: int, step: int, interpolation: Interpolation) -> Self:
        """From levels at `first`, `first + step` and so on."""
        places = first + step * np.arange(len(levels), dtype=np.int64)
        return cls(places, np.array(levels, dtype=np.float64), interpolation)

    def at(self, x: Elapsed) -> Floats:
        """The level at each of `x`: float64[n]."""
        if self.interpolation == "linear":
            return np.interp(x, self.places, self.levels)
        held = np.searchsorted(self.places, x, side="right") - 1
        return np.take(self.levels, np.maximum(held, 0))


def knots_problem(values: object, per: object, points: object) -> str | None:
    """What is wrong with the choice between `values` with `per` and `points`, or None."""
    if (values is None) == (points is None):
        return "give either values (with per) or points"
    if (values is None) != (per is None):
        return "'values' and 'per' go together"
    return None
