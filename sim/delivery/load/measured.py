"""What a trial has measured, as figures and as a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.delivery.latency import Latencies
from sim.delivery.load.processor import CORES
from sim.delivery.load.recorder import Recorder, Spread
from sim.delivery.load.watch import Readings
from sim.errors import SinkError

QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}
"""Of every latency, by name."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """A trial that is over.

    `ended` is the second at which it was, at the latest when its time was up; `acknowledged` are its facts that the
    target had in the end, `missing` those that it was given and never acknowledged. `starved_s` and `blocked_s` are
    those of `Punctuality`. `exhausted`: there were no more facts. `error` is what the sink has ended it with.
    """

    recorder: Recorder
    readings: Readings
    ended: float
    acknowledged: int
    blocked_s: float = 0.0
    starved_s: float = 0.0
    exhausted: bool = False
    listened: bool = False
    error: SinkError | None = None

    @property
    def missing(self) -> int:
        """Facts that were given to the target and never acknowledged."""
        return max(0, self.recorder.sent - self.acknowledged)

    @property
    def first(self) -> float:
        """Where measuring begins: after the warm-up, or at once where the trial was over before that."""
        warmup = self.recorder.trial.warmup
        return warmup if warmup < self.ended else 0.0

    @property
    def offered(self) -> float:
        """Facts a second that were due."""
        profile = self.recorder.trial.profile
        due = profile.count(self.ended) - profile.count(self.first)
        return due / max(1e-9, self.ended - self.first)

    @property
    def achieved(self) -> float:
        """Facts a second that the target acknowledged."""
        return self.readings.mean("acknowledged", self.first, self.ended)

    @property
    def cpu(self) -> float:
        """Processors that the generator kept busy: 1 is one core."""
        return self.readings.mean("generator", self.first, self.ended)

    @property
    def machine(self) -> float:
        """The share of the machine's processors that was busy, 0 to 1."""
        return min(1.0, self.readings.mean("machine", self.first, self.ended) / CORES)

    def document(self) -> Document:
        """Everything, with seconds in keys that end in `_s` and rates in facts a second."""
        recorder = self.recorder
        return {
            "rate": recorder.trial.profile.text,
            "duration_s": recorder.trial.duration,
            "warmup_s": recorder.trial.warmup,
            "ended_s": round(self.ended, 3),
            "offered_per_s": round(self.offered, 3),
            "achieved_per_s": round(self.achieved, 3),
            "sent": recorder.sent,
            "acknowledged": self.acknowledged,
            "unsent": recorder.unsent,
            "errors": self.missing,
            "ack": latency(recorder.acks),
            "e2e": latency(recorder.arrivals) if self.listened else None,
            "lag": latency(recorder.lag),
            "read_back": recorder.received if self.listened else None,
            "blocked_s": round(self.blocked_s, 3),
            "starved_s": round(self.starved_s, 3),
            "exhausted": self.exhausted,
            "cpu": {"generator": round(self.cpu, 4), "machine": round(self.machine, 4), "cores": CORES},
            "series": self._series(),
        }

    def _series(self) -> Document:
        """Points over time: rates and processors by when it happened, latencies by when the facts were due."""
        trial = self.recorder.trial
        edges = np.minimum(np.arange(trial.intervals + 1) * trial.interval, self.ended)
        edges = edges[: max(2, int(np.searchsorted(edges, self.ended)) + 1)]
        widths = np.maximum(np.diff(edges), 1e-9)
        due = [trial.profile.count(float(edge)) for edge in edges]
        points: Document = {"at_s": edges[:-1].round(3).tolist(), "offered_per_s": _rounded(np.diff(due) / widths)}
        for key, name, scale in (
            ("sent_per_s", "sent", 1.0),
            ("achieved_per_s", "acknowledged", 1.0),
            ("cpu_generator", "generator", 1.0),
            ("cpu_machine", "machine", 1.0 / CORES),
        ):
            points[key] = _rounded(np.diff(self.readings.by(name, edges)) / widths * scale)
        # A reading that was held up tells of more time than it seems to.
        points["cpu_machine"] = [min(1.0, share) for share in points["cpu_machine"]]
        spreads = {"ack": self.recorder.acks, "lag": self.recorder.lag}
        for name, spread in (spreads | ({"e2e": self.recorder.arrivals} if self.listened else {})).items():
            for key, values in _quantiles(spread.parts[: len(edges) - 1]).items():
                points[f"{name}_{key}_s"] = values
        return points


def latency(spread: Spread) -> Document:
    """Mean, quantiles and the largest in seconds, of how many facts, and the histogram itself."""
    found = spread.whole
    return {
        "facts": found.count,
        "samples": spread.samples,
        "mean_s": round(found.mean, 6),
        **{f"{name}_s": round(found.quantile(share), 6) for name, share in QUANTILES.items()},
        "max_s": round(found.largest, 6),
        "histogram": [[round(upto, 7), count] for upto, count in found.bins()],
    }


def _quantiles(parts: list[Latencies]) -> dict[str, list[float | None]]:
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        name: [round(part.quantile(share), 6) if part.count else None for part in parts]
        for name, share in shares.items()
    }


def _rounded(values: np.ndarray) -> list[float]:
    rounded: list[float] = np.round(values, 4).tolist()
    return rounded
