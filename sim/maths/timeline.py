"""The scenario's time: from its start to its end, and what the clocks on its walls say.

Civil ("local") times are microseconds since 1970-01-01 00:00 of the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from sim.maths.arrays import Times, ascending
from sim.maths.civil import CivilUnit, starts_between, unit_index
from sim.maths.instants import FIRST_YEAR, LAST_YEAR, microseconds

_FEW_YEARS = 4


@dataclass(frozen=True, slots=True)
class Offsets:
    """A zone's UTC offsets: `after[i]` holds from `at[i]`, `before[i]` until then; `first` holds at the beginning."""

    first: int
    at: Times
    before: Times
    after: Times


@dataclass(frozen=True)
class Timeline:
    """The instants [start, end), in microseconds UTC, with the zone of their civil time."""

    start: int
    end: int
    zone: ZoneInfo

    def local(self, t: Times) -> Times:
        """Civil times of the instants `t`, int64[n]."""
        if len(t) == 0:
            return t
        offsets = self._offsets(int(t.min()), int(t.max()))
        if len(offsets.at) == 0:
            return t + offsets.first
        table = np.concatenate(([offsets.first], offsets.after))
        return np.asarray(t + table[np.searchsorted(offsets.at, t, side="right")], dtype=np.int64)

    def utc(self, local: Times) -> Times:
        """Instants of civil times, int64[n].

        Of the two that clocks going back make, the first; a time that they skip is read on the clock before the change.
        """
        return self._utc(local, fold=0)

    def _utc(self, local: Times, fold: int) -> Times:
        if len(local) == 0:
            return local
        offsets = self._offsets(int(local.min()) - _DAY, int(local.max()) + _DAY)
        choose = np.minimum if fold else np.maximum
        turns = offsets.at + choose(offsets.before, offsets.after)
        table = np.concatenate(([offsets.first], offsets.after))
        return np.asarray(local - table[np.searchsorted(turns, local, side="right")], dtype=np.int64)

    def transitions(self, t0: int, t1: int) -> Times:
        """The instants strictly inside (t0, t1) at which the UTC offset changes."""
        at = self._offsets(t0, t1).at
        return at[(at > t0) & (at < t1)]

    def civil_breaks(self, t0: int, t1: int, unit: CivilUnit) -> Times:
        """The instants strictly inside (t0, t1), ascending, at which a civil minute, hour, day, week ... begins.

        An hour that clocks repeat is one of twice the length; one that they skip does not begin.
        """
        if t1 - t0 < 2:
            return np.empty(0, dtype=np.int64)
        first, last = self.local(np.array([t0, t1], dtype=np.int64))
        civil = starts_between(int(first) - _DAY, int(last) + _DAY, unit)
        changes = self.transitions(t0, t1)
        found = ascending(self.utc(civil), self._utc(civil, fold=1), changes)
        found = found[(found > t0) & (found < t1)]
        begins = unit_index(self.local(found), unit) != unit_index(self.local(found - 1), unit)
        return np.asarray(found[begins])

    def _offsets(self, t0: int, t1: int) -> Offsets:
        """The offsets that hold in [t0, t1], with the changes in (t0, t1] only."""
        whole = _offsets_of(self.zone, _year(t0), _year(t1))
        low, high = np.searchsorted(whole.at, [t0, t1], side="right")
        first = int(whole.after[low - 1]) if low else whole.first
        return Offsets(first, whole.at[low:high], whole.before[low:high], whole.after[low:high])


_DAY = 86_400_000_000
_DAYS_A_YEAR = 365.2425


def _year(t: int) -> int:
    """The year of `t`, rounded outwards to a few years, so that few tables of offsets are ever made."""
    year = int(1970 + t / (_DAYS_A_YEAR * _DAY))
    return min(max(year, FIRST_YEAR), LAST_YEAR) // _FEW_YEARS * _FEW_YEARS


@lru_cache(maxsize=1024)
def _offsets_of(zone: ZoneInfo, first: int, last: int) -> Offsets:
    periods = [_changes(zone, year) for year in range(first - _FEW_YEARS, last + 2 * _FEW_YEARS, _FEW_YEARS)]
    changes = [change for period in periods for change in period]
    at, before, after = (np.array([change[i] for change in changes], dtype=np.int64) for i in range(3))
    begin = _offset(zone, datetime(first - _FEW_YEARS, 1, 1, tzinfo=UTC))
    return Offsets(int(before[0]) if len(before) else begin, at, before, after)


@lru_cache(maxsize=4096)
def _changes(zone: ZoneInfo, first: int) -> tuple[tuple[int, int, int], ...]:
    """Changes of offset (instant, before, after) in a few years from `first`, found day by day, then by bisection."""
    begin, end = datetime(first, 1, 1, tzinfo=UTC), datetime(first + _FEW_YEARS, 1, 1, tzinfo=UTC)
    found = []
    before = _offset(zone, begin)
    for day in range((end - begin).days):
        low, high = begin + timedelta(days=day), begin + timedelta(days=day + 1)
        after = _offset(zone, high)
        if after != before:
            found.append((_bisect(zone, low, high), before, after))
        before = after
    return tuple(found)


def _bisect(zone: ZoneInfo, low: datetime, high: datetime) -> int:
    old = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _offset(zone, middle) == old else (low, middle)
    return microseconds(high)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)
