"""Metrics of a load test by name, as thresholds and comparisons speak of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sim.delivery.load.measured import QUANTILES, Document

Unit = Literal["duration", "rate", "count", "share"]

LATENCIES = {"ack": "acknowledgement", "e2e": "end to end", "lag": "lag of the generator"}
"""What is timed, from when a fact was due: until it is acknowledged, until it has come back, until it left."""

POINTS = ("mean", *QUANTILES, "max")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a report: seconds, facts a second, a number or a share; `good` says what is better."""

    name: str
    unit: Unit
    good: Literal["less", "more", "neither"]
    _read: Callable[[Document], Any]

    def of(self, report: Document) -> float | None:
        """The figure; None where the report does not have it."""
        found = self._read(report)
        return None if found is None else float(found)


def _timed(kind: str, point: str) -> Metric:
    def read(report: Document) -> Any:
        return None if report.get(kind) is None else report[kind].get(f"{point}_s")

    return Metric(point if kind == "ack" else f"{kind}.{point}", "duration", "less", read)


def _all() -> dict[str, Metric]:
    plain = [
        Metric("offered", "rate", "neither", lambda report: report.get("offered_per_s")),
        Metric("achieved", "rate", "more", lambda report: report.get("achieved_per_s")),
        Metric("errors", "count", "less", lambda report: report.get("errors")),
        Metric("unsent", "count", "less", lambda report: report.get("unsent")),
        Metric("cpu", "share", "less", lambda report: report.get("cpu", {}).get("generator")),
        Metric("machine", "share", "less", lambda report: report.get("cpu", {}).get("machine")),
    ]
    timed = [_timed(kind, point) for kind in LATENCIES for point in POINTS]
    found = {metric.name: metric for metric in (*plain, *timed)}
    return found | {f"ack.{point}": found[point] for point in POINTS}


METRICS: Mapping[str, Metric] = _all()
"""By name; latencies are those of the acknowledgement unless they begin with `e2e.` or `lag.`."""
