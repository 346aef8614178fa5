"""What the options of `datagen load` ask for, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.cli.jobs.job import Job
from sim.cli.terminal.values import parse_span
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.cli.loading.trial import Hunt, Order
    from sim.delivery.load.thresholds import Threshold
    from sim.delivery.load.trial import Trial

FIRST = "1k/s"
"""The first rate of a search, unless another is given."""

LONG, SHORT = "1min", "10s"
"""How long a load test, and a step of a search, last unless that is given."""

CARRIED = ("achieved < 95% offered", "p99 > 1s")
"""What ends a search, unless conditions are given."""

_SECOND = 1e6
_WARMUP, _WARMUP_SHARE = 5.0, 0.1


@dataclass(frozen=True)
class Asked:
    """The options that say which facts go where, and what is read back."""

    scenario: str
    to: str
    overrides: Mapping[str, str]
    settings: Mapping[str, str] = field(repr=False)
    seed: int | None
    workers: int
    consume: bool
    topics: tuple[str, ...]

    def order(
        self,
        thresholds: Sequence[Threshold],
        rate: str | None,
        duration: str | None,
        warmup: str | None,
        hunt: tuple[str, str | None] | None,
    ) -> Order:
        """The whole order; `hunt` has the precision and the fastest rate of a search. Raises ParameterError."""
        from sim.cli.loading.trial import Order

        trial = _trial(rate or FIRST, duration or (LONG if hunt is None else SHORT), warmup)
        if hunt is not None and len(trial.profile.times) > 1:
            raise ParameterError(f"--rate {rate!r}: a search begins with a constant rate, such as {FIRST}")
        to = with_due(self.to) if self.consume else self.to
        job = Job(self.scenario, self.overrides, self.seed, to=to, settings=self.settings, faults=False)
        found = None if hunt is None else _hunt(*hunt)
        return Order(job, trial, thresholds, self.workers, self.consume, self.topics, found)


def with_due(url: str) -> str:
    """The URL of the sink with the header `due` among those that messages get, where it has messages."""
    head, _, query = url.partition("?")
    if not head.lower().startswith("kafka:"):
        return url
    options = list(filter(None, query.split("&")))
    names = next((option.partition("=")[2] for option in options if option.startswith("headers=")), "")
    if "due" in names.split(","):
        return url
    others = [option for option in options if not option.startswith("headers=")]
    return f"{head}?{'&'.join([*others, 'headers=' + ','.join(filter(None, (names, 'due')))])}"


def _trial(rate: str, duration: str, warmup: str | None) -> Trial:
    from sim.delivery.load.trial import Trial
    from sim.delivery.profiles import parse_profile

    seconds = parse_span("--duration", duration) / _SECOND
    usual = min(_WARMUP, _WARMUP_SHARE * seconds)
    before = usual if warmup is None else _nothing_or_span(warmup)
    if before >= seconds:
        raise ParameterError(f"--warmup {warmup!r}: it must be shorter than the test, which lasts {duration}")
    trial = Trial(parse_profile(rate), seconds, before)
    if trial.facts < 1:
        raise ParameterError(f"--rate {rate!r}: there is not a single fact in {duration}")
    return trial


def _nothing_or_span(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0s") else parse_span("--warmup", text) / _SECOND


def _hunt(precision: str, at_most: str | None) -> Hunt:
    from sim.cli.loading.trial import Hunt
    from sim.delivery.load.search import FASTEST
    from sim.delivery.profiles import parse_profile

    text = precision.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0.001 <= share <= 1:
        raise ParameterError(f"--precision {precision!r}: use a share from 0.1% to 100%, such as 5%")
    fastest = FASTEST if at_most is None else parse_profile(at_most).rate(0.0)
    return Hunt(share, fastest)
