"""Single columns side by side: nulls, distinct values, shares of categories, distributions of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.quality.compare.clustered import Codes, Test, coarse, compared, merged, shares, shocks
from sim.quality.compare.difference import Difference
from sim.quality.compare.samples import Side

Floats = NDArray[np.float64]
Kind = Literal["category", "number", "none"]


@dataclass(frozen=True, slots=True)
class Ties:
    """What rows of one sample have in common: codes of clusters in one or more ways, and the day of each, if known."""

    ways: Sequence[Codes] = ()
    days: Codes | None = None


FEW = 30
"""Whole numbers with at most so many values are categories, and so are texts with at most `MANY`."""
MANY = 200
BINS = 20
_SHARED = 0.5
_DAYS = 5_000
_DAY = 86_400_000_000


def column(stream: str, name: str, one: Side, other: Side) -> Iterator[Difference]:
    """All that is compared of a column that both samples have."""
    a, b = one.frame[name], other.frame[name]
    subject = f"{stream}.{name}"
    if not len(a) or not len(b) or name in (one.id, one.time):
        return
    if a.null_count() or b.null_count():
        yield from _nulls(stream, subject, name, one, other)
    if name in one.ways or name.endswith("_id"):
        return
    a_rows, b_rows = (np.flatnonzero(values.is_not_null().to_numpy()) for values in (a, b))
    a_values, b_values = _readable(a, one)[a_rows], _readable(b, other)[b_rows]
    if len(a_values) and len(b_values):
        found = _kind(a_values, b_values)
        compare = {"category": categories, "number": numbers}.get(found)
        if compare is not None:
            ties = [_ties(side, name, rows) for side, rows in ((one, a_rows), (other, b_rows))]
            yield from compare(stream, subject, a_values, b_values, ties)


def categories(
    stream: str, subject: str, a: pl.Series, b: pl.Series, ties: Sequence[Ties], name: str = "shares"
) -> Iterator[Difference]:
    """Shares of categories: total variation, and the category that is most off."""
    words, codes = _coded(a.cast(pl.String), b.cast(pl.String))
    if len(words) < 2:
        return
    test, groups, values = _test(codes, len(words), ties)
    worst = int(np.argmax(np.abs(values[0] - values[1])))
    named = "the rare ones" if len(groups[worst]) > 1 else str(words[groups[worst][0]])
    said = [f"{named} {share[worst]:.2%}" for share in values]
    yield _difference(stream, name, subject, said, "total variation", test, f"{len(words)} values")


def numbers(
    stream: str, subject: str, a: pl.Series, b: pl.Series, ties: Sequence[Ties], name: str = "distribution"
) -> Iterator[Difference]:
    """A distribution: Kolmogorov-Smirnov and Wasserstein distances, tested by shares between common quantiles."""
    from scipy import stats

    x, y = (np.asarray(values.cast(pl.Float64), dtype=np.float64) for values in (a, b))
    edges = np.unique(np.quantile(np.concatenate([x, y]), np.linspace(0, 1, BINS + 1)[1:-1]))
    codes = [np.searchsorted(edges, values, side="right") for values in (x, y)]
    atoms = _atoms(x, y)
    if atoms is not None:
        ties = [Ties([*known.ways, own], known.days) for known, own in zip(ties, atoms, strict=True)]
    test, _, _ = _test(codes, len(edges) + 1, ties, ordered=True)
    scale = float(np.subtract(*np.quantile(np.concatenate([x, y]), [0.75, 0.25]))) or float(np.std(np.append(x, y)))
    wasserstein = float(stats.wasserstein_distance(x, y))
    told = f"Wasserstein {wasserstein:.4g}" + (f", {wasserstein / scale:.2%} of the middle half" if scale else "")
    said = [f"median {np.median(values):.5g}, mean {values.mean():.5g}" for values in (x, y)]
    yield _difference(stream, name, subject, said, "Kolmogorov-Smirnov", test, told)


def _nulls(stream: str, subject: str, name: str, one: Side, other: Side) -> Iterator[Difference]:
    codes = [side.frame[name].is_null().to_numpy().astype(np.int64) for side in (one, other)]
    ties = [_ties(side, name, np.arange(len(side.frame))) for side in (one, other)]
    test = _test(codes, 2, ties)[0]
    said = [f"{own.mean():.3%}" for own in codes]
    yield _difference(stream, "nulls", subject, said, "total variation", test, "")


def _test(
    codes: Sequence[Codes], classes: int, ties: Sequence[Ties], ordered: bool = False
) -> tuple[Test, list[list[int]], tuple[Floats, Floats]]:
    """The test of shares, rare classes put together as clusters demand; the groups of classes and their shares."""
    fine = [shares(own, classes, tie.ways) for own, tie in zip(codes, ties, strict=True)]
    groups = coarse(fine[0], fine[1], ordered)
    one, other = (merged(own, groups) for own in fine)
    table = np.zeros(classes, dtype=np.int64)
    for number, group in enumerate(groups):
        table[group] = number
    days = [tie.days for tie in ties if tie.days is not None]
    common = shocks([table[own] for own in codes], days, (one.values, other.values)) if len(days) == 2 else None
    return compared(one, other, common), groups, (one.values, other.values)


def _difference(
    stream: str, name: str, subject: str, said: Sequence[str], measure: str, test: Test, detail: str
) -> Difference:
    whole = measure == "total variation"
    distance = test.total_variation if whole else test.kolmogorov
    floor = test.total_variation_floor if whole else test.kolmogorov_floor
    return Difference(stream, name, subject, said[0], said[1], measure, distance, floor, test.log_p, detail=detail)


def _readable(values: pl.Series, side: Side) -> pl.Series:
    """What can be compared: instants as hours since the fact's own, lists as their lengths."""
    if values.dtype == pl.Datetime and side.time is not None:
        return (side.frame[side.time] - values).dt.total_seconds() / 3600
    if values.dtype == pl.List:
        return values.list.len()
    return values.cast(pl.String) if values.dtype == pl.Categorical else values


def _kind(a: pl.Series, b: pl.Series) -> Kind:
    both = pl.concat([a.to_frame("v"), b.to_frame("v")], how="vertical_relaxed")["v"]
    if both.dtype in (pl.Struct, pl.Binary, pl.List, pl.Object):
        return "none"
    distinct = both.n_unique()
    if both.dtype in (pl.String, pl.Boolean):
        return "category" if distinct <= MANY else "none"
    if both.dtype.is_integer() and distinct <= FEW:
        return "category"
    return "number" if both.dtype.is_numeric() else "none"


def _coded(a: pl.Series, b: pl.Series) -> tuple[list[str], list[Codes]]:
    """The words of both, sorted, and the number of each row's word."""
    words = pl.concat([a, b]).unique().sort()
    table = pl.DataFrame({"word": words, "code": np.arange(len(words))})
    codes = [
        own.to_frame("word").join(table, on="word", how="left", maintain_order="left")["code"].to_numpy()
        for own in (a, b)
    ]
    return words.to_list(), [np.asarray(own, dtype=np.int64) for own in codes]


def _ties(side: Side, name: str, rows: Codes) -> Ties:
    """What rows have in common: what their ids name, and the day; not where the days are too far apart to be days."""
    days = None if side.time is None else days_of(side.frame[side.time].gather(rows))
    return Ties(side.clusters(name, where=rows), days)


def days_of(at: pl.Series) -> Codes | None:
    """The days of instants, counted from 1970; None where they are too far apart to be compared day by day."""
    days = np.asarray(at.cast(pl.Int64).fill_null(0).to_numpy() // _DAY, dtype=np.int64)
    return days if len(days) and days.max() - days.min() < _DAYS else None


def _atoms(x: Floats, y: Floats) -> list[Codes] | None:
    """Rows with one value, where values come many times but the other sample has others: prices of a catalogue."""
    values = [np.unique(own, return_inverse=True, return_counts=True) for own in (x, y)]
    if any(len(found[0]) > _SHARED * len(own) for found, own in zip(values, (x, y), strict=True)):
        return None
    common = np.isin(values[0][0], values[1][0])
    if values[0][2][common].sum() > _SHARED * len(x):
        return None
    return [np.asarray(found[1], dtype=np.int64) for found in values]
