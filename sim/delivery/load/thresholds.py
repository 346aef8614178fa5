"""Thresholds: `p99 > 200ms`, `achieved < 95% offered`, `errors > 0`, and whether a report crosses them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sim.delivery.load.measured import Document
from sim.delivery.load.metrics import METRICS, POINTS, Metric, Unit
from sim.errors import ParameterError
from sim.maths.units import SECOND, parse_duration, parse_rate

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(>=|<=|>|<)\s*(.+?)\s*")
_RELATIVE = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)\s*(?:\*\s*)?([a-z][a-z0-9.]*)")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
_EXAMPLES: Mapping[Unit, str] = {
    "duration": "200ms",
    "rate": "45k/s, or a share of what was offered such as 95% offered",
    "count": "0",
    "share": "80%",
}

BEFORE = "before"
"""Stands for the same metric of the report that a comparison begins with."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A metric that must not be beyond a value: a number, or so many times another metric of the report."""

    text: str
    metric: Metric
    sign: str
    value: float
    times: str | None = None

    def judge(self, report: Document, before: Document | None = None) -> Document:
        """What was found, as an object: `crossed` is None where the report lacks what is asked for."""
        found = self.metric.of(report)
        limit = self._limit(report, before)
        crossed = None if found is None or limit is None else _COMPARE[self.sign](found, limit)
        return {"expression": self.text, "metric": self.metric.name, "value": found, "limit": limit, "crossed": crossed}

    def _limit(self, report: Document, before: Document | None) -> float | None:
        if self.times is None:
            return self.value
        if self.times == BEFORE:
            known = None if before is None else self.metric.of(before)
        else:
            known = METRICS[self.times].of(report)
        return None if known is None else self.value * known


def parse_thresholds(texts: Sequence[str], relative: bool = False) -> list[Threshold]:
    """The thresholds of `--fail-if`; `relative`: there is a report `before`. Raises ParameterError."""
    return [parse_threshold(text, relative) for text in texts]


def parse_threshold(text: str, relative: bool = False) -> Threshold:
    """A threshold. Raises ParameterError with what is wrong and what is allowed."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise _wrong(text, "write METRIC > VALUE or METRIC < VALUE, such as 'p99 > 200ms' or 'achieved < 95% offered'")
    name, sign, value = found.groups()
    if name not in METRICS:
        near = get_close_matches(name, METRICS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise _wrong(text, f"{name!r} is not a metric{hint} (allowed: {_allowed()})")
    metric = METRICS[name]
    multiple = _RELATIVE.fullmatch(value)
    if multiple is not None and (multiple[3] in METRICS or multiple[3] == BEFORE):
        return _relative(text, metric, sign, multiple, relative)
    return Threshold(text.strip(), metric, sign, _value(text, metric, value))


def _relative(text: str, metric: Metric, sign: str, found: re.Match[str], relative: bool) -> Threshold:
    number, percent, other = found.groups()
    if other == BEFORE and not relative:
        raise _wrong(text, "'before' is the first report of a comparison, and this is none")
    if other != BEFORE and METRICS[other].unit != metric.unit:
        same = ", ".join(name for name, known in METRICS.items() if known.unit == metric.unit)
        raise _wrong(text, f"{metric.name} and {other} are not of one kind (like {metric.name}: {same})")
    return Threshold(text.strip(), metric, sign, float(number) / (100 if percent else 1), other)


def _value(text: str, metric: Metric, value: str) -> float:
    readers: Mapping[Unit, Callable[[str], Any]] = {
        "duration": lambda word: parse_duration(word) / SECOND,
        "rate": lambda word: parse_rate(word) * SECOND,
        "count": _number,
        "share": _number,
    }
    try:
        return float(readers[metric.unit](value))
    except ValueError as error:
        reason = str(error) or f"{value!r} is no value for it"
        raise _wrong(text, f"{metric.name}: {reason}; write {_EXAMPLES[metric.unit]}") from None


def _allowed() -> str:
    plain = [name for name, metric in METRICS.items() if metric.unit != "duration"]
    return f"{', '.join(POINTS)}, also as ack.p99, e2e.p99, lag.p99; {', '.join(plain)}"


def _number(word: str) -> float:
    found = _NUMBER.fullmatch(word)
    if found is None:
        raise ValueError(f"{word!r} is not a number")
    return float(found[1]) / (100 if found[2] else 1)


def _wrong(text: str, reason: str) -> ParameterError:
    return ParameterError(f"--fail-if {text!r}: {reason}")
