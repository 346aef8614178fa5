"""Texts with very many values side by side: what they are made of, how long they are, and how often they come again.

The profile of a column of texts (Z. Abedjan, L. Golab and F. Naumann 2015, "Profiling relational data: a survey"): the
distribution of lengths, the classes of characters, the patterns, the most frequent values; and the shares of distinct
and of repeated values, which depend on how many rows there are and so are rarefied: what is expected among equally many
of them (S. H. Hurlbert 1971, "The nonconcept of species diversity").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.quality.compare.clustered import Codes
from sim.quality.compare.difference import Difference
from sim.quality.compare.values import Ties, categories, coded, numbers

Floats = NDArray[np.float64]

TOP = 30
"""The most frequent values, and patterns, that are told apart."""
CHARACTERS = 500_000
"""Characters that are looked at, of texts that are evenly chosen."""

_CLASSES = {"upper case": r"\p{Lu}", "lower case": r"\p{Ll}", "digits": r"\p{Nd}", "spaces": r"\s", "other": ""}
_PATTERN = ((r"\p{Lu}+", "A"), (r"\p{Ll}+", "a"), (r"\p{Nd}+", "9"), (r"\s+", " "))
_GROUPS = 25
_LEAST = 50
_VALUES = 10
"""Values that must come twice at least, to tell how much shares differ."""
_TRIMMED, _USUAL = 0.9, 0.623
"""The share of values that count, those that differ least, and the mean of that share of chi-square's values with one
degree of freedom.
"""
_MIXER = 2_654_435_761


def texts(stream: str, subject: str, a: pl.Series, b: pl.Series, ties: Sequence[Ties]) -> Iterator[Difference]:
    """All that is compared of texts without nulls.

    Rows with one value belong together, because values may come from a catalogue or a pool that each set has drawn.
    """
    codes = coded(a, b)[1]
    drawn = [known.more(np.unique(own, return_inverse=True)[1]) for known, own in zip(ties, codes, strict=True)]
    x, y = (values.str.len_chars().cast(pl.Int64) for values in (a, b))
    if pl.concat([x, y]).n_unique() > 1:
        yield from numbers(stream, subject, x, y, drawn, "length")
    yield from _characters(stream, subject, a, b, drawn)
    yield from _leading(stream, subject, _shapes(a), _shapes(b), drawn, "patterns")
    yield from _leading(stream, subject, a, b, ties, "top values", _dispersion(codes))
    yield from _repeats(stream, subject, codes, drawn)


def _characters(stream: str, subject: str, a: pl.Series, b: pl.Series, ties: Sequence[Ties]) -> Iterator[Difference]:
    """Shares of classes of characters; those of one text belong together."""
    drawn, known = [], []
    for values, own in zip((a, b), ties, strict=True):
        rows = np.arange(0, len(values), max(-(-int(values.str.len_chars().sum()) // CHARACTERS), 1))
        counts = _counted(values.gather(rows))
        places = np.repeat(np.arange(len(rows)), counts.sum(axis=1))
        drawn.append(np.repeat(np.tile(np.arange(len(_CLASSES)), len(rows)), counts.ravel()))
        known.append(own.where(rows[places]).more(places))
    x, y = (pl.Series(list(_CLASSES)).gather(own) for own in drawn)
    if len(x) and len(y):
        yield from categories(stream, subject, x, y, known, "characters")


def _counted(values: pl.Series) -> Codes:
    """Characters of each class in each text: int64[n, classes]."""
    named = [values.str.count_matches(pattern).to_numpy() for pattern in _CLASSES.values() if pattern]
    rest = values.str.len_chars().to_numpy().astype(np.int64) - np.sum(named, axis=0, dtype=np.int64)
    return np.stack([*named, np.maximum(rest, 0)], axis=1).astype(np.int64)


def _shapes(values: pl.Series) -> pl.Series:
    """The patterns of texts: `Aa 9` for a capitalised word and a number."""
    for pattern, letter in _PATTERN:
        values = values.str.replace_all(pattern, letter)
    return values


def _leading(
    stream: str,
    subject: str,
    a: pl.Series,
    b: pl.Series,
    ties: Sequence[Ties],
    name: str,
    inflation: float = 1.0,
) -> Iterator[Difference]:
    """The shares of the most frequent values, all others together."""
    counts = pl.concat([a.alias("v"), b.alias("v")]).value_counts(name="n")  # of both, lest chance in one decides
    top = counts.sort(["n", "v"], descending=[True, False])["v"].head(TOP)
    x, y = (own.set(~own.is_in(top.implode()), "any other") for own in (a, b))
    yield from categories(stream, subject, x, y, ties, name, inflation)


def _dispersion(codes: Sequence[Codes]) -> float:
    """How many times as much the shares of values differ as those of independent rows would: a trimmed mean of all that
    come twice.

    Two pools of the same names give each name another share; one value that differs more than all others still shows.
    """
    size = max(int(own.max()) for own in codes) + 1
    one, other = (np.bincount(own, minlength=size).astype(np.float64) for own in codes)
    rows = [len(own) for own in codes]
    known = np.flatnonzero(one + other > 1)
    if len(known) < _VALUES:
        return 1.0
    share = (one + other)[known] / sum(rows)
    apart = one[known] / rows[0] - other[known] / rows[1]
    squares = np.sort(apart**2 / (share * sum(1 / own for own in rows)))
    return max(float(squares[: max(int(_TRIMMED * len(squares)), 1)].mean()) / _USUAL, 1.0)


def _repeats(stream: str, subject: str, codes: Sequence[Codes], ties: Sequence[Ties]) -> Iterator[Difference]:
    """How many values are distinct, and how many rows have a twin, among as many rows of both."""
    rows = min(len(own) for own in codes) // 2
    if rows < _LEAST:
        return
    found = [_Rarefied.of(own, known, rows) for own, known in zip(codes, ties, strict=True)]
    for place, name in enumerate(("distinct values", "repeated values")):
        yield _difference(
            stream, subject, name, [own.values[place] for own in found], [own.errors[place] for own in found], rows
        )


def _difference(
    stream: str, subject: str, name: str, values: Sequence[float], errors: Sequence[float], rows: int
) -> Difference:
    """Two shares with their errors; these are never less than that of half a row."""
    from scipy import stats

    error = math.hypot(*errors, 0.5 / rows)
    distance = abs(values[0] - values[1])
    log_p = min(math.log(2) + float(stats.t.logsf(distance / error, _GROUPS - 1)), 0.0)
    floor = float(stats.t.ppf(0.975, _GROUPS - 1)) * error
    said = [f"{value:.3%}" for value in values]
    return Difference(
        stream, name, subject, said[0], said[1], "difference", distance, floor, log_p, detail=f"among {rows:,} rows"
    )


@dataclass(frozen=True, slots=True)
class _Rarefied:
    """Shares of distinct values and of rows with a twin, with their errors: the largest of leaving out clusters, in any
    of their ways, and values, in 25 groups one after the other.
    """

    values: tuple[float, float]
    errors: tuple[float, float]

    @classmethod
    def of(cls, codes: Codes, ties: Ties, rows: int) -> _Rarefied:
        """For so many rows of those with these codes of values."""
        codes = np.unique(codes, return_inverse=True)[1]
        counts = np.bincount(codes)
        errors = np.zeros(2)
        for way in (np.arange(len(codes)), *ties.ways):
            groups = way * _MIXER % 2**32 % _GROUPS
            parts = np.bincount(groups * len(counts) + codes, minlength=_GROUPS * len(counts))
            left = counts - parts.reshape(_GROUPS, len(counts))
            if left.sum(axis=1).min() > rows:
                found = np.stack([_rarefied(own, rows) for own in left])
                spread = ((found - found.mean(axis=0)) ** 2).sum(axis=0)
                errors = np.maximum(errors, np.sqrt((_GROUPS - 1) / _GROUPS * spread))
        distinct, repeated = _rarefied(counts, rows)
        return cls((float(distinct), float(repeated)), (float(errors[0]), float(errors[1])))


def _rarefied(counts: Codes, rows: int) -> Floats:
    """The expected shares of distinct values and of rows with a twin in a draw of `rows` rows: float64[2]."""
    total = int(counts.sum())
    sizes, times = np.unique(counts[counts > 0], return_counts=True)
    absent = np.exp(_log_ratio(total - sizes, total, rows))
    alone = np.exp(_log_ratio(total - sizes, total - 1, rows - 1))
    distinct = float((times * (1 - absent)).sum()) / rows
    return np.array([distinct, 1 - float((times * sizes * alone).sum()) / total])


def _log_ratio(n: Codes, total: int, rows: int) -> Floats:
    """The logarithm of (n over rows) / (total over rows); of 0 where n is too small."""
    from scipy.special import gammaln

    enough = n >= rows
    known = np.where(enough, n, rows)
    found = gammaln(known + 1) - gammaln(known - rows + 1) - gammaln(total + 1) + gammaln(total - rows + 1)
    return np.where(enough, found, -np.inf)
