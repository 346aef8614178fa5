"""Texts with units, parsed: lengths of time, rates, probabilities per period; and written again.

Lengths of time are whole microseconds, rates floats per microsecond. A month is 365.25/12 days and a year 365.25 days.
"""

from __future__ import annotations

import math
import re

from sim.maths.model import shown

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 1461 * DAY // 4
MONTH = YEAR // 12

_SPELLINGS: dict[int, str] = {
    1: "us microsecond microseconds",
    1_000: "ms millisecond milliseconds",
    SECOND: "s sec secs second seconds",
    MINUTE: "m min mins minute minutes",
    HOUR: "h hr hour hours",
    DAY: "d day days",
    WEEK: "w week weeks",
    MONTH: "mo month months",
    3 * MONTH: "quarter quarters",
    YEAR: "y yr year years",
}
UNITS: dict[str, int] = {word: size for size, words in _SPELLINGS.items() for word in words.split()}

_LONGEST = 1_000 * YEAR
_FASTEST = 1e6
_NUMBER = r"(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_PART = re.compile(rf"\s*({_NUMBER})?\s*([A-Za-zµ]+)\s*")
_RATIO = re.compile(rf"\s*([-+]?{_NUMBER})\s*([kM]?)\s*(%?)\s*(?:/|per\s)\s*(.+)")
_DURATIONS = "write a number and a unit, such as 30s, 15min, 6h, 20d, 2 weeks, 3 months or 1.5 years"


def parse_duration(value: object) -> int:
    """Microseconds of a length of time such as `20d`, `1.5h`, `1h 30min`, `2 weeks` or `month` (one of them).

    Raises ValueError for a plain number, an unknown unit, and lengths beyond 1,000 years.
    """
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} has no unit: {_DURATIONS}")
    text, place, total = value.strip(), 0, 0.0
    while place < len(text) or not text:
        part = _PART.match(text, place)
        if part is None:
            raise ValueError(f"{shown(value)} is not a length of time: {_DURATIONS}")
        total += float((part[1] or "1").replace("_", "")) * _unit(part[2], value)
        place = part.end()
    if total > _LONGEST:
        raise ValueError(f"{shown(value)} is longer than 1000 years")
    return round(total)


def parse_offset(value: object) -> int:
    """Microseconds of a length of time that may have a sign: `-2h`, `+15min`, `1d`. Raises as `parse_duration`."""
    if isinstance(value, str) and value.strip()[:1] in {"-", "+"}:
        text = value.strip()
        return parse_duration(text[1:]) * (-1 if text[0] == "-" else 1)
    return parse_duration(value)


def _unit(word: str, value: object) -> int:
    if word in UNITS:
        return UNITS[word]
    raise ValueError(f"{shown(value)}: {word!r} is not a unit of time (ms, s, min, h, d, week, month, year)")


def format_duration(us: int) -> str:
    """The shortest exact way to write `us`, which `parse_offset` reads back: `300d`, `12h 30min`, `6 months`."""
    if us < 0:
        return "-" + format_duration(-us)
    for size, word in ((YEAR, "year"), (MONTH, "month")):
        if us and us % size == 0:
            return f"{us // size} {word}" + ("s" if us // size > 1 else "")
    parts = []
    for size, word in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1_000, "ms"), (1, "us")):
        count, us = divmod(us, size)
        if count:
            parts.append(f"{count}{word}")
    return " ".join(parts) or "0s"


def _ratio(value: object, example: str) -> tuple[float, bool, int]:
    """Amount, whether it is a percentage, and microseconds of the period, of a text such as `3%/month`."""
    found = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{shown(value)} has no period: write an amount per unit of time, such as {example}")
    amount = float(found[1].replace("_", "")) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]
    period = _period(found[4], value)
    if period <= 0 or not math.isfinite(amount):
        raise ValueError(f"{shown(value)} is not a finite amount per unit of time, such as {example}")
    return (amount / 100 if found[3] else amount), bool(found[3]), period


def _bounded(per_us: float, value: object) -> float:
    if abs(per_us) > _FASTEST:
        raise ValueError(f"{shown(value)} is more than {_FASTEST:g} per microsecond")
    return per_us


def _period(text: str, value: object) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{shown(value)}: the period {error}") from None


def parse_rate(value: object) -> float:
    """Events per microsecond of `2/month`, `50k/day`, `0.5 per hour` or `1/30d`. Percent raises ValueError."""
    amount, percent, period = _ratio(value, "2/month or 50k/day")
    if percent:
        raise ValueError(f"{shown(value)} is a percentage, a rate counts events: write {amount:g}/... for {amount:.0%}")
    if amount < 0:
        raise ValueError(f"{shown(value)} is negative: a rate is at least 0")
    return _bounded(amount / period, value)


def parse_hazard(value: object) -> float:
    """Hazard per microsecond: `3%/month` leaves 97% after a month, so -ln(0.97) a month; `0.5/month` is a rate."""
    amount, percent, period = _ratio(value, "3%/month (a probability) or 0.5/month (a rate)")
    if amount < 0 or (percent and amount >= 1):
        raise ValueError(f"{shown(value)}: a probability per period is at least 0% and below 100%, a rate at least 0")
    return _bounded((-math.log1p(-amount) if percent else amount) / period, value)


def parse_growth(value: object) -> float:
    """Continuous growth per microsecond: `8%/year` multiplies by 1.08 a year, `-3%/month` by 0.97 a month."""
    amount, percent, period = _ratio(value, "8%/year or -3%/month")
    if not percent:
        raise ValueError(f"{shown(value)}: growth is a percentage per period, such as 8%/year or -3%/month")
    if amount <= -1:
        raise ValueError(f"{shown(value)}: nothing is left after losing 100%; growth is above -100%")
    return _bounded(math.log1p(amount) / period, value)


def parse_slope(value: object) -> float:
    """Change per microsecond, of the level at the beginning: `8%/year` adds 0.08 a year, as does `0.08/year`."""
    amount, _, period = _ratio(value, "8%/year, -3%/month or 0.5/year")
    return _bounded(amount / period, value)


def parse_probability(value: object) -> object:
    """A probability written as `35%` becomes 0.35; anything else is left to the check of a number in [0, 1]."""
    if isinstance(value, bool):
        raise ValueError(f"{shown(value)} is not a probability: write a number from 0 to 1, or 35%")
    if isinstance(value, str):
        found = re.fullmatch(rf"\s*({_NUMBER})\s*(%?)\s*", value)
        if found is None:
            raise ValueError(f"{shown(value)} is not a probability: write a number from 0 to 1, or 35%")
        return float(found[1].replace("_", "")) / (100 if found[2] else 1)
    return value


def format_rate(rate: float) -> str:
    """A rate per microsecond for people: per second, day, month or year, the first with an amount of at least 1."""
    for size, word in ((SECOND, "s"), (DAY, "day"), (MONTH, "month")):
        if rate * size >= 1:
            return f"{_digits(rate * size)}/{word}"
    return f"{_digits(rate * YEAR)}/year"


def _digits(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:.4g}"
