"""The search for the breaking point: faster by steps until the load is not carried any more, then in between.

Rates are doubled until one fails; then the geometric middle between the fastest that was carried and the slowest that
was not is tried, until the two are as close as wanted. If the first rate fails already, rates are halved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

FACTOR = 2.0
"""From one rate to the next, as long as none has failed, or none was carried."""

SLOWEST, FASTEST = 1.0, 1e8
"""Facts a second beyond which nobody searches."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """A rate that was tried, facts a second, whether it was carried, and what was found."""

    rate: float
    carried: bool
    found: T


@dataclass(frozen=True, slots=True)
class Limit(Generic[T]):
    """All steps in the order in which they were made."""

    steps: list[Step[T]] = field(default_factory=list)

    @property
    def carried(self) -> Step[T] | None:
        """The fastest that was carried, below the slowest that failed; None where there is none."""
        below = [step for step in self.steps if step.carried and step.rate < self._slowest_failed]
        return max(below, key=lambda step: step.rate, default=None)

    @property
    def failed(self) -> Step[T] | None:
        """The slowest that was not carried; None where all were."""
        failed = [step for step in self.steps if not step.carried]
        return min(failed, key=lambda step: step.rate, default=None)

    @property
    def _slowest_failed(self) -> float:
        return min((step.rate for step in self.steps if not step.carried), default=math.inf)


def search(
    attempt: Callable[[float], Step[T] | None], first: float, precision: float, fastest: float = FASTEST
) -> Limit[T]:
    """Make attempts at rates, the first at `first`, until the limit is known to within a share of `precision`.

    `attempt` gives None where the search is to end at once. Nothing is tried beyond `fastest`.
    """
    limit: Limit[T] = Limit()
    rate: float | None = min(first, fastest)
    while rate is not None:
        step = attempt(rate)
        if step is None:
            return limit
        limit.steps.append(step)
        rate = _next(limit, precision, fastest)
    return limit


def _next(limit: Limit[T], precision: float, fastest: float) -> float | None:
    """The next rate to try; None where the limit is known."""
    good, bad = limit.carried, limit.failed
    if bad is None:
        assert good is not None
        return None if good.rate >= fastest else min(good.rate * FACTOR, fastest)
    if good is None:
        return bad.rate / FACTOR if bad.rate / FACTOR >= SLOWEST else None
    return None if bad.rate <= good.rate * (1 + precision) else math.sqrt(good.rate * bad.rate)
