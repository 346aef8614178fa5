"""Whether one data set repeats the other: distances to the closest record.

The distances of rows of B to the closest row of A are held against those of rows of A to the closest other row of A:
of all pairs of such distances, the share in which that of B is smaller (Mann and Whitney 1947). Where B is new data of
the same kind, it is about a half; where B copies A, nearly one. No hold-out is needed (compare M. Platzer and
T. Reutterer 2021, "Holdout-based empirical assessment of mixed-type synthetic data", which uses one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.quality.compare.samples import Side

Floats = NDArray[np.float64]

SAMPLE = 2000
_COLUMNS = 2
_FEW = 50
_COARSE = 0.5
"""Where more rows than that have a twin in their own data set, columns are too coarse to tell anybody apart."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """How often one of `rows` rows of B is closer to A than a row of A, with its interval; and equal rows.

    `copies` is the share of rows of B that A has too, `usual` the share of rows of A that occur in A more than once.
    """

    stream: str
    rows: int
    share: float
    low: float
    high: float
    copies: float
    usual: float


def closeness(stream: str, columns: list[str], one: Side, other: Side, seed: int) -> Closeness | None:
    """How close the rows of `other` are to those of `one` in these columns; None where that cannot be said."""
    from scipy.spatial import cKDTree

    names = [name for name in columns if _usable(one.frame[name]) and _usable(other.frame[name])]
    if len(names) < _COLUMNS or min(len(one.frame), len(other.frame)) < 20:
        return None
    frames = [side.frame.select(names).drop_nulls() for side in (one, other)]
    frames = [frame.sample(min(len(frame), SAMPLE), seed=seed) for frame in frames]
    if min(map(len, frames)) < 20:
        return None
    a, b = _points(frames)
    tree = cKDTree(a)
    found, own = np.asarray(tree.query(b, k=[1])[0])[:, 0], np.asarray(tree.query(a, k=[2])[0])[:, 0]
    if (own == 0).mean() > _COARSE:
        return None
    share, error = _smaller(found, own)
    low, high = max(share - 1.96 * error, 0.0), min(share + 1.96 * error, 1.0)
    return Closeness(stream, len(b), share, low, high, float((found == 0).mean()), float((own == 0).mean()))


def _smaller(found: Floats, own: Floats) -> tuple[float, float]:
    """The share of pairs in which the first is smaller, ties half, and its error (DeLong and others 1988)."""
    ordered = [np.sort(values) for values in (found, own)]
    below, above = (_placed(values, other) for values, other in ((found, ordered[1]), (own, ordered[0])))
    share = float(1 - below.mean())
    return share, float(np.sqrt(below.var(ddof=1) / len(found) + above.var(ddof=1) / len(own)))


def _placed(values: Floats, ordered: Floats) -> Floats:
    """The share of `ordered` below each value, ties half."""
    ends = [np.searchsorted(ordered, values, side=end) for end in ("left", "right")]
    placed: Floats = (ends[0] + ends[1]) / (2 * len(ordered))
    return placed


def _usable(values: pl.Series) -> bool:
    """Numbers, and texts with few values; no ids, no instants."""
    if values.name.endswith("_id") or values.null_count() > len(values) / 2:
        return False
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return True
    return values.dtype in (pl.String, pl.Categorical) and values.n_unique() <= _FEW


def _points(frames: list[pl.DataFrame]) -> tuple[Floats, Floats]:
    """Rows as points: numbers by rank in both together, so that all weigh alike; categories as corners."""
    both = pl.concat(frames, how="vertical_relaxed")
    parts = []
    for name in both.columns:
        values = both[name]
        if values.dtype.is_numeric():
            ranks = np.asarray(values.rank(), dtype=np.float64)
            parts.append((ranks / max(len(values), 1))[:, None])
        else:
            corners = values.cast(pl.String).to_dummies().to_numpy().astype(np.float64)
            parts.append(corners / np.sqrt(2))
    points = np.hstack(parts)
    return points[: len(frames[0])], points[len(frames[0]) :]
