"""What entities do, side by side: how much, when, how often, how long in between, from where to where."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.quality.compare.clustered import Codes
from sim.quality.compare.difference import Difference
from sim.quality.compare.samples import Side, codes_of
from sim.quality.compare.values import Ties, categories, days_of, numbers
from sim.quality.dataset import Dataset
from sim.quality.tables import quoted

Floats = NDArray[np.float64]

_GROUPS = 25
_LEAST = 200
_HOUR = 3_600_000_000
_INSTANT = pl.Datetime("us")


def volume(stream: str, one: Dataset, other: Dataset, sides: tuple[Side, Side]) -> Iterator[Difference]:
    """How many facts there are. Those of one entity count as one clump, so the variance is the sum of their squares."""
    rows, squares = [], []
    for dataset, side in zip((one, other), sides, strict=True):
        rows.append(dataset.rows(stream))
        own = side.key if side.key != side.id else None
        squares.append(float(rows[-1]) if own is None else _squares(dataset, stream, own))
    if not sum(rows):
        return
    z = (rows[0] - rows[1]) / math.sqrt(max(sum(squares), 1.0))
    distance = abs(rows[0] - rows[1]) / max(rows)
    floor = 1.96 * math.sqrt(sum(squares)) / max(rows)
    a, b = (f"{count:,}" for count in rows)
    yield Difference(stream, "facts", stream, a, b, "relative", distance, min(floor, 1.0), _normal(z))


def times(stream: str, one: Side, other: Side) -> Iterator[Difference]:
    """The shape of time: months (weeks, days, where there are few), days of the week and hours of the day."""
    if one.time is None or other.time is None or not len(one.frame) or not len(other.frame):
        return
    a, b = _happening(one), _happening(other)
    if not len(a) or not len(b):
        return
    shift = _shift(one.frame[one.time], other.frame[other.time])
    plain = [one.frame[one.time].gather(a), other.frame[other.time].gather(b)]
    at = [plain[0], (plain[1].cast(pl.Int64) + shift).cast(_INSTANT)]
    unit = _unit(at)
    ways = [side.clusters(where=rows) for side, rows in ((one, a), (other, b))]
    for name, parts in (
        (f"{unit[0]}s", [values.dt.truncate(unit[1]).dt.strftime("%Y-%m-%d") for values in at]),
        ("days of the week", [values.dt.strftime("%u %a") for values in plain]),
        ("hours of the day", [values.dt.strftime("%H") for values in plain]),
    ):
        yield from categories(stream, stream, parts[0], parts[1], [Ties(own) for own in ways], name)
    yield from _trend(stream, at, ways)


def activity(stream: str, one: Side, other: Side) -> Iterator[Difference]:
    """Facts per entity that has any, and the time between one fact of an entity and its next."""
    if one.key is None or other.key is None or one.key == one.id:
        return
    counts = [side.frame[side.key or ""].drop_nulls().value_counts()["count"] for side in (one, other)]
    if min(map(len, counts)) < 2 or max(int(own.to_numpy().max()) for own in counts) < 2:
        return
    name = f"facts per {one.key.removesuffix('_id')}"
    law = categories if pl.concat(counts).n_unique() <= 20 else numbers
    yield from law(stream, stream, counts[0], counts[1], [Ties(), Ties()], name)
    if one.time is not None and other.time is not None:
        gaps, ties = zip(*(_gaps(side) for side in (one, other)), strict=True)
        if min(map(len, gaps)) >= _LEAST:
            yield from numbers(stream, stream, gaps[0], gaps[1], ties, "hours between facts")


def transitions(stream: str, one: Side, other: Side) -> Iterator[Difference]:
    """From which state entities go to which, or which step follows which in a case."""
    found = [_moves(stream, side) for side in (one, other)]
    if all(own is not None and len(own[0]) for own in found):
        (a, a_ways), (b, b_ways) = (own for own in found if own is not None)
        yield from categories(stream, stream, a, b, [Ties(a_ways), Ties(b_ways)], "transitions")


def correlations(stream: str, names: Sequence[str], one: Side, other: Side) -> Iterator[Difference]:
    """Spearman's rank correlation of pairs of numbers; errors by leaving out groups of entities (Kott 2001)."""
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            values = [_correlation(side, first, second) for side in (one, other)]
            if all(own is not None for own in values):
                (a, a_error), (b, b_error) = (own for own in values if own is not None)
                error = math.hypot(a_error, b_error)
                if error > 0:
                    subject = f"{stream}.{first}, {second}"
                    p = _student((a - b) / error, _GROUPS - 1)
                    distance, floor = abs(a - b) / 2, min(2.06 * error / 2, 1.0)
                    yield Difference(
                        stream, "correlation", subject, f"{a:.3f}", f"{b:.3f}", "half of it", distance, floor, p
                    )


def _squares(dataset: Dataset, stream: str, key: str) -> float:
    inner = f"SELECT count(*) AS n FROM {quoted(stream)} GROUP BY {quoted(key)}"
    return float(dataset.query(f"SELECT coalesce(sum(n * n), 0) FROM ({inner})")[0][0])


def _happening(side: Side) -> Codes:
    """The rows that happen, not those of the first instant, which say who exists then."""
    assert side.time is not None
    at = side.frame[side.time]
    first = at.min()
    rows = np.flatnonzero((at != first).fill_null(False).to_numpy())
    return rows if (at == first).sum() > 0.01 * len(at) else np.flatnonzero(at.is_not_null().to_numpy())


def _shift(a: pl.Series, b: pl.Series) -> int:
    """What to add to the times of `b` where the two hardly overlap: then it begins where `a` does."""
    (a0, a1), (b0, b1) = (_ends(own) for own in (a, b))
    overlap = min(a1, b1) - max(a0, b0)
    return 0 if overlap * 2 > min(a1 - a0, b1 - b0) else a0 - b0


def _ends(at: pl.Series) -> tuple[int, int]:
    """The first and the last instant, in microseconds."""
    values = at.drop_nulls().cast(pl.Int64).to_numpy()
    return int(values.min()), int(values.max())


def _unit(at: Sequence[pl.Series]) -> tuple[str, str]:
    """The period that gives at least a few points."""
    low, high = _ends(pl.concat(at))
    days = (high - low) / (24 * _HOUR)
    return ("month", "1mo") if days > 150 else ("week", "1w") if days > 28 else ("day", "1d")


def _trend(stream: str, at: Sequence[pl.Series], ways: Sequence[list[Codes]]) -> Iterator[Difference]:
    """The growth of the logarithm of the number of facts over the time that both have, per 30 days."""
    slopes = []
    low, high = (choose(ends) for choose, ends in zip((max, min), zip(*map(_ends, at), strict=True), strict=True))
    for own, groups in zip(at, ways, strict=True):
        found = _slope(np.asarray(own.cast(pl.Int64)), low, high, groups)
        if found is None:
            return
        slopes.append(found)
    (a, a_error), (b, b_error) = slopes
    error = math.hypot(a_error, b_error)
    said = tuple(f"{math.expm1(slope):+.2%} per 30 days" for slope in (a, b))
    distance, floor = (min(abs(math.expm1(value)), 1.0) for value in (a - b, 1.96 * error))
    yield Difference(stream, "trend", stream, said[0], said[1], "relative", distance, floor, _normal((a - b) / error))


def _slope(times: Codes, low: int, high: int, ways: Sequence[Codes]) -> tuple[float, float] | None:
    """The log-linear slope by the likelihood of a loglinear Poisson process, with clustered (sandwich) errors."""
    here = (times >= low) & (times <= high)
    months = (high - low) / (720 * _HOUR)
    if here.sum() < _LEAST or months < 0.3:
        return None
    x = (times[here] - low) / (high - low)
    slope = 0.0
    for _ in range(30):
        mean, spread = _tilted(slope)
        slope += float(np.clip((x.mean() - mean) / spread, -2, 2))
    mean, spread = _tilted(slope)
    rests = x - mean
    variance = max([float((rests**2).sum()), *(_clumps(rests, own[here]) for own in ways)])
    return slope / months, math.sqrt(variance) / (len(x) * spread) / months


def _tilted(slope: float) -> tuple[float, float]:
    """Mean and variance of the density proportional to exp(slope x) on [0, 1]."""
    if abs(slope) < 1e-3:
        return 0.5 + slope / 12, 1 / 12
    growth = math.exp(-abs(slope))
    mean = 1 / (1 - growth) - 1 / abs(slope)
    spread = 1 / slope**2 - growth / (1 - growth) ** 2
    return (mean if slope > 0 else 1 - mean), spread


def _clumps(rests: Floats, groups: Codes) -> float:
    return float((np.bincount(groups, rests) ** 2).sum())


def _gaps(side: Side) -> tuple[pl.Series, Ties]:
    """Hours between the facts of an entity; which entity each is of, and when it ends."""
    assert side.key is not None
    assert side.time is not None
    frame = side.frame.select(pl.col(side.key).alias("who"), pl.col(side.time).alias("at")).drop_nulls()
    frame = frame.sort("who", "at").with_columns(
        (pl.col("at").diff().over("who").dt.total_seconds() / 3600).alias("gap")
    )
    frame = frame.drop_nulls("gap")
    return frame["gap"], Ties([codes_of(frame["who"])], days_of(frame["at"]))


def _moves(stream: str, side: Side) -> tuple[pl.Series, list[Codes]] | None:
    frame, key = side.frame, side.key
    if {"from_state", "to_state"} <= set(frame.columns):
        told = frame.select(
            pl.concat_str([pl.col("from_state").cast(pl.String), pl.lit(" to "), pl.col("to_state").cast(pl.String)])
        ).to_series()
        rows = np.flatnonzero(told.is_not_null().to_numpy())
        return told.gather(rows), side.clusters(where=rows)
    case = f"{stream}_case_id"
    if {"step", "step_index", case} <= set(frame.columns) and key is not None:
        ordered = frame.sort(case, "step_index").with_columns(pl.col("step").cast(pl.String))
        ordered = ordered.with_columns(pl.col("step").shift(-1).over(case).fill_null("end").alias("next"))
        told = ordered.select(pl.concat_str([pl.col("step"), pl.lit(" to "), pl.col("next")])).to_series()
        return told, [codes_of(ordered[key]), codes_of(ordered[case])]
    return None


def _correlation(side: Side, first: str, second: str) -> tuple[float, float] | None:
    """The correlation and its error: the largest one of leaving out entities, other things that rows name (products of
    a catalogue that the other set does not have), and stretches of time.
    """
    names = dict.fromkeys([first, second, *([side.key] if side.key else []), *([side.time] if side.time else [])])
    frame = side.frame.select([*names, *(way for way in side.ways if way not in names)]).drop_nulls(list(names))
    if len(frame) < _LEAST:
        return None
    entities = codes_of(frame[side.key]) if side.key else np.arange(len(frame))
    named = [codes_of(frame[way]) for way in side.ways if way != side.key]
    several = [own for own in named if int(own.max()) >= _GROUPS]
    ways = [(groups * 2_654_435_761 % 2**32) % _GROUPS for groups in (entities, *several)]
    if side.time is not None:
        ways.append(np.asarray(frame[side.time].rank("ordinal").to_numpy() - 1, dtype=np.int64) * _GROUPS // len(frame))
    x, y = (frame[name].rank().to_numpy() for name in (first, second))
    found = [_jackknifed(x, y, own) for own in ways]
    known = [own for own in found if own is not None]
    return max(known, key=lambda own: own[1]) if len(known) == len(ways) else None


def _jackknifed(x: Floats, y: Floats, groups: Codes) -> tuple[float, float] | None:
    """Pearson's correlation, and its error from leaving out one group after the other, by sums."""
    x, y = x - x.mean(), y - y.mean()
    parts = [np.bincount(groups, values, minlength=_GROUPS) for values in (np.ones(len(x)), x, y, x * x, y * y, x * y)]
    every = _pearson(*(part.sum() for part in parts))
    left = _pearson(*(part.sum() - part for part in parts))
    if not np.isfinite(every) or not np.isfinite(left).all():
        return None
    error = math.sqrt((_GROUPS - 1) / _GROUPS * float(((left - left.mean()) ** 2).sum()))
    return float(every), error


def _pearson(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return found


def _normal(z: float) -> float:
    """The logarithm of the two-sided p-value of a standard normal variable."""
    from scipy import stats

    return min(math.log(2) + float(stats.norm.logsf(abs(z))), 0.0)


def _student(t: float, freedom: int) -> float:
    from scipy import stats

    return min(math.log(2) + float(stats.t.logsf(abs(t), freedom)), 0.0)
