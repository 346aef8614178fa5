"""The civil calendar as arithmetic on arrays of civil microseconds: which hour, day or month it is, when they begin."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sim.maths.arrays import Times

CivilUnit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

_DAY = 86_400_000_000
_EVEN: dict[str, tuple[int, int]] = {
    "minute": (60_000_000, 0),
    "hour": (3_600_000_000, 0),
    "day": (_DAY, 0),
    "week": (7 * _DAY, 3 * _DAY),  # 1970-01-01 was a Thursday, three days into its week
}
_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}


def unit_index(local: Times, unit: CivilUnit) -> Times:
    """How many whole units lie between 1970 and the civil times `local`: int64[n]. Weeks begin on Monday."""
    if unit in _EVEN:
        size, shift = _EVEN[unit]
        return (local + shift) // size
    months = local.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // _MONTHS[unit], dtype=np.int64)


def unit_start(index: Times, unit: CivilUnit) -> Times:
    """The civil times at which the units with these indices begin: int64[n]."""
    if unit in _EVEN:
        size, shift = _EVEN[unit]
        return index * size - shift
    months = (index * _MONTHS[unit]).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[us]").astype(np.int64))


def starts_between(first: int, last: int, unit: CivilUnit) -> Times:
    """The civil times in [first, last] at which a unit begins, ascending: int64[k]."""
    low, high = unit_index(np.array([first, last], dtype=np.int64), unit)
    starts = unit_start(np.arange(low, high + 1, dtype=np.int64), unit)
    return np.asarray(starts[starts >= first])


def hour_of_day(local: Times) -> Times:
    """0 to 23."""
    return local // 3_600_000_000 % 24


def day_of_week(local: Times) -> Times:
    """0 (Monday) to 6 (Sunday)."""
    return (local // _DAY + 3) % 7


def day_number(local: Times) -> Times:
    """Civil days since 1970-01-01."""
    return local // _DAY


def day_of_month(local: Times) -> Times:
    """1 to 31."""
    days = local.astype("datetime64[us]").astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[M]")).astype(np.int64) + 1)


def month_of_year(local: Times) -> Times:
    """0 (January) to 11 (December)."""
    return local.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12
