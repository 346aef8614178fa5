"""Expected and observed events side by side: by cell of all groupings, by entity, and by hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sim.maths.spans import Spans
from sim.quality.behaviours.intensity import Declared, Groups, Pieces, last_before, pieces_of, sizes_of
from sim.quality.behaviours.members import Members, Stays
from sim.quality.behaviours.reading import Floats, Indices, Times, sums


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is expected of the declared intensity, and what was observed.

    One row a cell: `codes` int64[cells, groupings], `expected` and `observed` float64[cells]. `clusters` is the matrix
    [members, columns] of what is expected of each member in each group of each grouping (columns of the groupings one
    after the other, the total first), None without frailty. `hourly` are expected events by cell of `hours`
    (int64[h+1]), and `happened` those observed. `stray` counts events where none can be.
    """

    names: list[str]
    sizes: list[int]
    codes: Indices
    expected: Floats
    observed: Floats
    variance: float
    clusters: sparse.csr_matrix | None
    hours: Times
    hourly: Floats
    happened: Floats
    stray: int

    @property
    def offsets(self) -> list[int]:
        """The first column of each grouping, of which column 0 is the total."""
        return [1 + sum(self.sizes[:place]) for place in range(len(self.sizes))]


@dataclass(slots=True)
class _Sums:
    """What is added up over chunks."""

    keys: list[Indices]
    expected: list[Floats]
    clusters: list[sparse.csr_matrix]
    hourly: Floats


def sheet_of(
    members: Members,
    stays: Stays,
    declared: Declared,
    groups: Groups,
    events: tuple[Indices, Times],
    hours: Times,
    outside: Spans | None = None,
    leaving: bool = False,
) -> Sheet:
    """The sheet of `events` (member, time) of an intensity.

    `outside` are spans that do not count; there the declared curve must be 0. `leaving` says that an event ends the
    stay that it belongs to.
    """
    sizes = groups.sizes
    strides = sizes_of(sizes)
    total = _Sums([], [], [], np.zeros(len(hours) - 1))
    for chunk, pieces in pieces_of(members, stays, declared, groups):
        _add(total, members, chunk, pieces, declared, groups, strides, hours)
    keys, place = np.unique(np.concatenate(total.keys), return_inverse=True)
    expected = sums(place, np.concatenate(total.expected), len(keys))
    counted, stray, times = _observed(members, stays, declared, groups, events, outside, leaving, strides)
    here = np.minimum(np.searchsorted(keys, counted), len(keys) - 1)
    known = (keys[here] == counted) & (expected[here] > 0)
    observed = np.bincount(here[known], minlength=len(keys)).astype(np.float64)
    there = np.flatnonzero((expected > 0) | (observed > 0))
    happened = np.histogram(times[known], bins=hours)[0].astype(np.float64)
    return Sheet(
        names=groups.names,
        sizes=sizes,
        codes=keys[there, None] // strides % np.array(sizes),
        expected=expected[there],
        observed=observed[there],
        variance=declared.variance,
        clusters=sum(total.clusters[1:], start=total.clusters[0]) if total.clusters else None,
        hours=hours,
        hourly=total.hourly * declared.times.between(hours),
        happened=happened,
        stray=stray + int(np.count_nonzero(~known)),
    )


def _add(
    total: _Sums,
    members: Members,
    stays: Stays,
    pieces: Pieces,
    declared: Declared,
    groups: Groups,
    strides: Indices,
    hours: Times,
) -> None:
    member = stays.member[pieces.stay]
    middle = pieces.start + (pieces.until - pieces.start) // 2
    births, since = members.births[member], stays.since[pieces.stay]
    codes = groups.codes(member, stays.states[:, pieces.stay], middle - births, middle, middle - since)
    keys, place = np.unique(codes @ strides, return_inverse=True)
    total.keys.append(keys)
    total.expected.append(sums(place, pieces.expected, len(keys)))
    if declared.variance > 0:
        total.clusters.append(_clustered(members, member, codes, pieces.expected, groups.sizes))
    mass = declared.times.at(pieces.until)[0] - declared.times.at(pieces.start)[0]
    weight = np.divide(pieces.expected, mass, out=np.zeros(len(mass)), where=mass > 0)
    total.hourly += _average(pieces.start, pieces.until, weight, hours)


def _clustered(
    members: Members, member: Indices, codes: Indices, expected: Floats, sizes: list[int]
) -> sparse.csr_matrix:
    """Expected events by member and group, [members, 1 + groups]."""
    offsets = np.concatenate([[0], 1 + np.cumsum([0, *sizes[:-1]])])
    columns = np.concatenate([np.zeros((len(codes), 1), dtype=np.int64), codes], axis=1) + offsets
    rows = np.broadcast_to(member[:, None], columns.shape)
    values = np.broadcast_to(expected[:, None], columns.shape)
    shape = (len(members), 1 + sum(sizes))
    return sparse.coo_matrix((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()


def _average(start: Times, until: Times, weight: Floats, edges: Times) -> Floats:
    """The mean over each cell of the sum of weights that hold in [start, until): float64[cells]."""
    width = np.diff(edges)
    size = len(width)
    total = np.zeros(size + 1)
    rest = np.zeros(size)
    for times, sign in ((start, 1.0), (until, -1.0)):
        cell = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, size - 1)
        share = np.clip((edges[cell + 1] - times) / width[cell], 0.0, 1.0)
        rest += sign * sums(cell, weight * share, size)
        total += sign * sums(cell + 1, weight, size + 1)
    return np.asarray(rest + np.cumsum(total)[:size], dtype=np.float64)


def _observed(
    members: Members,
    stays: Stays,
    declared: Declared,
    groups: Groups,
    events: tuple[Indices, Times],
    outside: Spans | None,
    leaving: bool,
    strides: Indices,
) -> tuple[Indices, int, Times]:
    """The cell of each event that counts, how many are where nobody is, and when the former happened."""
    member, times = events
    if outside is not None:
        counts = outside.number(times) < 0
        member, times = member[counts], times[counts]
    within = times - 1 if leaving else times
    stay = last_before(stays, member, within)
    found = np.flatnonzero(stay >= 0)
    stray = len(stay) - len(found)
    stay, member, times, within = stay[found], member[found], times[found], within[found]
    codes = groups.codes(
        member, stays.states[:, stay], within - members.births[member], within, within - stays.since[stay]
    )
    return codes @ strides, stray, times


def means(sheet: Sheet, grouping: int, values: NDArray[np.float64]) -> Floats:
    """Sums of `values` (one a cell) by group of a grouping: float64[groups]."""
    return sums(sheet.codes[:, grouping], values, sheet.sizes[grouping])
