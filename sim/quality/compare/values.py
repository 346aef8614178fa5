"""The values of two samples side by side: shares of categories, and distributions of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.quality.compare.clustered import Codes, Test, coarse, compared, merged, shares, shocks
from sim.quality.compare.difference import Difference

Floats = NDArray[np.float64]

BINS = 20
_SHARED = 0.5
_DAYS = 5_000
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Ties:
    """What rows of one sample have in common: codes of clusters in one or more ways, and the day of each, if known."""

    ways: Sequence[Codes] = ()
    days: Codes | None = None

    def where(self, rows: Codes) -> Ties:
        """Those of the rows at these places."""
        days = None if self.days is None else self.days[rows]
        return Ties([np.unique(way[rows], return_inverse=True)[1] for way in self.ways], days)

    def more(self, way: Codes) -> Ties:
        """With another way of belonging together."""
        return Ties([*self.ways, way], self.days)


def categories(
    stream: str,
    subject: str,
    a: pl.Series,
    b: pl.Series,
    ties: Sequence[Ties],
    name: str = "shares",
    inflation: float = 1.0,
) -> Iterator[Difference]:
    """Shares of categories: total variation, and the category that is most off.

    Their covariance is so many times as large as rows and clusters say.
    """
    words, codes = coded(a.cast(pl.String), b.cast(pl.String))
    if len(words) < 2:
        return
    test, groups, values = _test(codes, len(words), ties, inflation=inflation)
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
    common = atoms(x, y)
    if common is not None:
        ties = [known.more(own) for known, own in zip(ties, common, strict=True)]
    test, _, _ = _test(codes, len(edges) + 1, ties, ordered=True)
    scale = float(np.subtract(*np.quantile(np.concatenate([x, y]), [0.75, 0.25]))) or float(np.std(np.append(x, y)))
    wasserstein = float(stats.wasserstein_distance(x, y))
    told = f"Wasserstein {wasserstein:.4g}" + (f", {wasserstein / scale:.2%} of the middle half" if scale else "")
    said = [f"median {np.median(values):.5g}, mean {values.mean():.5g}" for values in (x, y)]
    yield _difference(stream, name, subject, said, "Kolmogorov-Smirnov", test, told)


def shares_of_nulls(stream: str, subject: str, empty: Sequence[Codes], ties: Sequence[Ties]) -> Iterator[Difference]:
    """Shares of nulls, from 1 where a row has none and 0 elsewhere."""
    test = _test(empty, 2, ties)[0]
    said = [f"{own.mean():.3%}" for own in empty]
    yield _difference(stream, "nulls", subject, said, "total variation", test, "")


def _test(
    codes: Sequence[Codes], classes: int, ties: Sequence[Ties], ordered: bool = False, inflation: float = 1.0
) -> tuple[Test, list[list[int]], tuple[Floats, Floats]]:
    """The test of shares, rare classes put together as clusters demand; the groups of classes and their shares."""
    fine = [shares(own, classes, tie.ways) for own, tie in zip(codes, ties, strict=True)]
    fine = [replace(own, covariance=own.covariance * inflation) for own in fine]
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


def coded(a: pl.Series, b: pl.Series) -> tuple[list[str], list[Codes]]:
    """The words of both, sorted, and the number of each row's word."""
    words = pl.concat([a, b]).unique().sort()
    table = pl.DataFrame({"word": words, "code": np.arange(len(words))})
    codes = [
        own.to_frame("word").join(table, on="word", how="left", maintain_order="left")["code"].to_numpy()
        for own in (a, b)
    ]
    return words.to_list(), [np.asarray(own, dtype=np.int64) for own in codes]


def days_of(at: pl.Series) -> Codes | None:
    """The days of instants, counted from 1970; None where they are too far apart to be compared day by day."""
    days = np.asarray(at.cast(pl.Int64).fill_null(0).to_numpy() // _DAY, dtype=np.int64)
    return days if len(days) and days.max() - days.min() < _DAYS else None


def atoms(x: Floats, y: Floats) -> list[Codes] | None:
    """Rows with one value, where values come many times but the other sample has others: prices of a catalogue."""
    values = [np.unique(own, return_inverse=True, return_counts=True) for own in (x, y)]
    if any(len(found[0]) > _SHARED * len(own) for found, own in zip(values, (x, y), strict=True)):
        return None
    common = np.isin(values[0][0], values[1][0])
    if values[0][2][common].sum() > _SHARED * len(x):
        return None
    return [np.asarray(found[1], dtype=np.int64) for found in values]
