"""Recurrences along many runs at once: what a value is, given the value before it in the same run.

The elements of a run follow each other; `place` int64[n] is each element's position in its run, 0 where a run begins.
"""

from __future__ import annotations

import numpy as np

from sim.maths.arrays import Bools, Floats, Times

_TIE = 1e-9
"""Relative; sums that miss a floor by no more than this miss it by rounding."""


def places(runs: Times) -> Times:
    """The position of each element in its run, where `runs` int64[n] names the run and runs lie together."""
    first = np.flatnonzero(np.diff(runs, prepend=-1))
    length = np.diff(np.append(first, len(runs)))
    return np.arange(len(runs)) - np.repeat(first, length)


def in_order(runs: Times, times: Times) -> Times:
    """The order int64[n] in which runs lie together and each goes by time; equal times stay as they are given."""
    return np.lexsort((times, runs))


def linear(pushes: Floats, place: Times, before: Floats, keeps: Floats | None = None) -> Floats:
    """x_k = keep_k x_(k-1) + push_k along every run; `before` float64[n] is x_(-1) of each element's run.

    `keeps` float64[n] lies in [-1, 1]; without it, all are 1 and x are sums. By doubling (Hillis and Steele 1986), in
    log2(longest run) steps: neither a loop over the elements of a long run, nor one sum over everything, which would
    leave small sums with the rounding errors of the large ones before them, nor a division by vanishing products.
    """
    values = pushes.copy()
    keep = None if keeps is None else keeps.copy()
    step, later = 1, np.flatnonzero(place)
    while len(later):
        earlier = later - step
        if keep is None:
            values[later] += values[earlier]
        else:
            values[later] += keep[later] * values[earlier]
            keep[later] *= keep[earlier]
        step *= 2
        later = later[place[later] >= step]
    values += before if keep is None else keep * before
    return values


def floored(values: Floats, place: Times, before: Floats, floors: Floats, clipped: Bools) -> tuple[Floats, Floats]:
    """Sums along every run that no negative value takes below the floor: the sums, and what was really added.

    A negative value that would end below its floor is left out (`clipped` False) or cut to what there is above the
    floor (True); a sum that lies below already can only rise. All arrays are [n]; -inf is no floor. Runs that never
    touch a floor cost a sum; the others go in rounds from their first breach on, one element of each run at a time,
    since what a refusal leaves is a new beginning: some 30 us a round.
    """
    sums, added = linear(values, place, before), values.copy()
    breaches = np.flatnonzero((values < 0) & (sums < floors))
    if not len(breaches):
        return sums, added
    _, nth = np.unique(breaches - place[breaches], return_index=True)
    at = breaches[nth]
    starts = np.flatnonzero(place == 0)
    ends = np.append(starts[1:], len(values))[np.searchsorted(starts, at, side="right") - 1]
    longest_first = np.argsort(at - ends, kind="stable")
    at, left = at[longest_first], (ends - at)[longest_first]
    held = np.where(place[at] > 0, sums[at - 1], before[at])
    for past in range(int(left[0])):
        open_ = int(np.searchsorted(-left, -past))
        here = at[:open_] + past
        held, added[here] = _post(held[:open_], values[here], floors[here], clipped[here])
        sums[here] = held
    return sums, added


def _post(held: Floats, value: Floats, floor: Floats, clipped: Bools) -> tuple[Floats, Floats]:
    """One value each on top of what is held: the new sums, and what of the values was added."""
    free = held + value
    tie = (free < floor) & (free >= floor - _TIE * (1 + np.abs(held)))
    free = np.where(tie, floor, free)
    below = (value < 0) & (free < floor)
    rest = np.where(clipped, np.minimum(held, floor), held)
    return np.where(below, rest, free), np.where(below, rest - held, value)
