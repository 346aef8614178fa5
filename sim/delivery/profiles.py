"""Rate profiles: how many facts a second are to leave, over the time since the run began.

A profile is written as a rate, `50k/s`, or as a kind with its values:

    ramp:from=1k/s,to=50k/s,over=5min       then `to` for good
    steps:from=1k/s,by=1k/s,every=30s       up to `to`, if that is given
    spike:base=5k/s,peak=50k/s,at=1min,for=10s        again after every `every`, if that is given
    sine:mean=10k/s,amplitude=5k/s,period=1h
    file:PATH                               CSV of seconds and facts per second, linear in between

All of them are pieces that are linear in time, so that the instant at which a fact is due has a closed form.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.errors import ParameterError
from sim.maths.units import SECOND, parse_duration, parse_rate

Floats = NDArray[np.float64]

_SINE_PIECES = 256
"""Linear pieces of a period: the largest error is a 13,000th of the amplitude."""

_MOST_STEPS = 10_000
_LARGEST = 1e9


@dataclass(frozen=True, slots=True)
class Profile:
    """Facts a second, linear between the points (`times` in seconds from 0, ascending; equal times are jumps).

    After the last point the last rate goes on, or, where `repeats`, everything begins again.
    """

    text: str
    times: Floats
    rates: Floats
    repeats: bool = False

    def rate(self, seconds: float) -> float:
        """Facts a second at a time."""
        if self.repeats:
            seconds = math.fmod(seconds, float(self.times[-1]))
        piece = int(np.searchsorted(self.times, seconds, side="right")) - 1
        if piece >= len(self.times) - 1:
            return float(self.rates[-1])
        share = (seconds - self.times[piece]) / (self.times[piece + 1] - self.times[piece])
        return float(self.rates[piece] + share * (self.rates[piece + 1] - self.rates[piece]))

    def count(self, seconds: float) -> float:
        """Facts that are to have left by a time."""
        cycles, rest = divmod(seconds, float(self.times[-1])) if self.repeats else (0.0, seconds)
        counts = self._counts()
        piece = min(int(np.searchsorted(self.times, rest, side="right")) - 1, len(self.times) - 1)
        since = rest - float(self.times[piece])
        rate = float(self.rates[piece] + self._slopes()[piece] * since / 2)
        return cycles * float(counts[-1]) + float(counts[piece]) + since * rate

    def due(self, numbers: Floats) -> Floats:
        """When the facts with these numbers, counted from 0, are to leave: seconds, float64[n]; infinite for never."""
        counts = self._counts()
        cycles, rest = np.divmod(numbers, counts[-1]) if self.repeats else (np.zeros(len(numbers)), numbers)
        piece = np.searchsorted(counts, rest, side="right") - 1
        left, rate, slope = rest - counts[piece], self.rates[piece], self._slopes()[piece]
        # left = rate t + slope t^2 / 2, solved for t in the form that does not cancel for small slopes.
        root = np.sqrt(np.maximum(rate * rate + 2 * slope * left, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            since = np.where(left > 0, 2 * left / (rate + root), 0.0)
        return cycles * self.times[-1] + self.times[piece] + since if self.repeats else self.times[piece] + since

    def _counts(self) -> Floats:
        """Facts by each of the points."""
        areas = np.diff(self.times) * (self.rates[1:] + self.rates[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(areas)])

    def _slopes(self) -> Floats:
        """Change of the rate a second after each of the points."""
        widths = np.diff(self.times)
        slopes = np.divide(np.diff(self.rates), widths, out=np.zeros(len(widths)), where=widths > 0)
        return np.concatenate([slopes, [0.0]])


def parse_profile(text: str) -> Profile:
    """The profile that `text` says; ParameterError with what is allowed otherwise."""
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        return _profile(text, [(0.0, _rate("rate", kind, text))])
    if kind == "file":
        return _from_file(text, Path(rest))
    if kind not in _KINDS:
        near = get_close_matches(kind, [*_KINDS, "file"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ParameterError(f"--rate {text!r}: {kind!r} is not a profile{hint} (allowed: {', '.join(_KINDS)}, file)")
    needed, optional, build = _KINDS[kind]
    return build(text, _values(text, rest, needed, optional))


def _values(text: str, rest: str, needed: Sequence[str], optional: Sequence[str]) -> dict[str, float]:
    """Rates as facts a second, lengths of time in seconds, by name."""
    found: dict[str, float] = {}
    allowed = ", ".join((*needed, *optional))
    for item in filter(None, rest.split(",")):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or name not in (*needed, *optional) or name in found:
            raise ParameterError(f"--rate {text!r}: {item!r} is not NAME=VALUE with one of {allowed}, once each")
        found[name] = _span(name, value, text) if name in _SPANS else _rate(name, value, text)
    missing = [name for name in needed if name not in found]
    if missing:
        raise ParameterError(f"--rate {text!r}: {', '.join(missing)} missing (it has {allowed})")
    return found


def _rate(name: str, value: str, text: str) -> float:
    try:
        rate = parse_rate(value) * SECOND
    except ValueError as error:
        raise ParameterError(f"--rate {text!r}: {name}: {error}; such as 50k/s") from None
    if rate > _LARGEST:
        raise ParameterError(f"--rate {text!r}: {name}: at most {_LARGEST:,.0f}/s")
    return rate


def _span(name: str, value: str, text: str) -> float:
    try:
        span = parse_duration(value) / SECOND
    except ValueError as error:
        raise ParameterError(f"--rate {text!r}: {name}: {error}") from None
    if span <= 0:
        raise ParameterError(f"--rate {text!r}: {name}: must be above 0")
    return span


def _profile(text: str, points: Sequence[tuple[float, float]], repeats: bool = False) -> Profile:
    times, rates = np.array(points, dtype=np.float64).T
    going_on = rates.max() if repeats else rates[-1]
    if going_on <= 0:
        raise ParameterError(f"--rate {text!r}: it ends at a rate of 0, so that the run would never end")
    return Profile(text, times, rates, repeats)


def _ramp(text: str, given: Mapping[str, float]) -> Profile:
    return _profile(text, [(0.0, given["from"]), (given["over"], given["to"])])


def _steps(text: str, given: Mapping[str, float]) -> Profile:
    first, step, every = given["from"], given["by"], given["every"]
    last = given.get("to", math.inf)
    if step <= 0 or last < first:
        raise ParameterError(f"--rate {text!r}: 'by' must be above 0, 'to' not below 'from'")
    count = min(_MOST_STEPS, math.floor((last - first) / step + 1e-9)) if last < math.inf else _MOST_STEPS
    levels = [first + step * number for number in range(count + 1)]
    points = [(0.0, first)]
    for number, level in enumerate(levels[1:], 1):
        points += [(number * every, levels[number - 1]), (number * every, level)]
    return _profile(text, points)


def _spike(text: str, given: Mapping[str, float]) -> Profile:
    base, peak, start = given["base"], given["peak"], given["at"]
    end = start + given["for"]
    points = [(0.0, base), (start, base), (start, peak), (end, peak), (end, base)]
    every = given.get("every")
    if every is not None and every < end:
        raise ParameterError(f"--rate {text!r}: 'every' must not be shorter than 'at' and 'for' together")
    return _profile(text, points if every is None else [*points, (every, base)], repeats=every is not None)


def _sine(text: str, given: Mapping[str, float]) -> Profile:
    if given["amplitude"] > given["mean"]:
        raise ParameterError(f"--rate {text!r}: the amplitude must not exceed the mean")
    shares = np.arange(_SINE_PIECES + 1) / _SINE_PIECES
    rates = given["mean"] + given["amplitude"] * np.sin(2 * np.pi * shares)
    return _profile(text, list(zip(shares * given["period"], rates, strict=True)), repeats=True)


def _from_file(text: str, path: Path) -> Profile:
    try:
        lines = [line for line in csv.reader(path.read_text(encoding="utf-8").splitlines()) if line]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ParameterError(f"--rate {text!r}: {path}: {reason}") from None
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines, 1):
        point = _point(line)
        if point is None and number == 1:
            continue  # a heading
        if point is None or point[0] < (points[-1][0] if points else 0.0):
            raise ParameterError(
                f"--rate {text!r}: {path}:{number}: {','.join(line)!r} is not seconds,rate with later and later seconds"
            )
        points.append(point)
    if not points:
        raise ParameterError(f"--rate {text!r}: {path} has no line with seconds,rate (facts a second)")
    return _profile(text, points if points[0][0] == 0 else [(0.0, points[0][1]), *points])


def _point(line: Sequence[str]) -> tuple[float, float] | None:
    try:
        seconds, rate = map(float, line)
    except ValueError:
        return None
    return (seconds, rate) if 0 <= seconds < math.inf and 0 <= rate <= _LARGEST else None


_SPANS = frozenset({"over", "every", "at", "for", "period"})
_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[str, Mapping[str, float]], Profile]]] = {
    "ramp": (("from", "to", "over"), (), _ramp),
    "steps": (("from", "by", "every"), ("to",), _steps),
    "spike": (("base", "peak", "at", "for"), ("every",), _spike),
    "sine": (("mean", "amplitude", "period"), (), _sine),
}
