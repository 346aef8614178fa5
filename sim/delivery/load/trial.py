"""A trial: facts at the rates of a profile for a while, of which the beginning does not count."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.delivery.profiles import Profile

WATCHED = 2_000
"""Facts a second, at most, whose acknowledgements are watched one by one."""

_BINS = 120
_LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Trial:
    """`profile` for `duration` seconds; what is due in the first `warmup` of them is sent and not measured."""

    profile: Profile
    duration: float
    warmup: float = 0.0

    @property
    def facts(self) -> int:
        """The facts that are due in the trial."""
        return math.floor(self.profile.count(self.duration) + 1e-9)

    @property
    def offered(self) -> float:
        """Facts a second that are due on average, while it counts."""
        return self.due_within(self.duration) / max(1e-9, self.duration - self.warmup)

    def due_within(self, until: float) -> float:
        """The facts due from the end of the warm-up to that second."""
        return max(0.0, self.profile.count(min(until, self.duration)) - self.profile.count(self.warmup))

    @property
    def every(self) -> int:
        """Of so many facts one is watched."""
        return max(1, math.ceil(self.facts / max(self.duration, 1e-9) / WATCHED))

    @property
    def interval(self) -> float:
        """Seconds of one point of what is drawn over time."""
        return next((length for length in _LENGTHS if self.duration / length <= _BINS), _LENGTHS[-1])

    @property
    def intervals(self) -> int:
        """How many such points there are."""
        return max(1, math.ceil(self.duration / self.interval - 1e-9))
