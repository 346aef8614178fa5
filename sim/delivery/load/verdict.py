"""The verdict on a trial: was the load carried, and if not, who was the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sim.delivery.load.measured import Measured
from sim.delivery.pacing import TOLERANCE

CARRIED = 0.95
"""Of what was offered, at least so much is acknowledged where the load was carried."""

SLOW = 1.0
"""Seconds that the slowest hundredth may wait for an acknowledgement where the load was carried."""

BUSY = 0.95
"""The share of all processors from which on the machine itself was full."""

Who = Literal["nobody", "target", "generator"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who was the bottleneck, and a sentence that says so with the figures behind it."""

    bottleneck: Who
    text: str


def verdict(found: Measured, target: str) -> Verdict:
    """Who was in the way, as far as the generator can see.

    Facts that leave late although the target did not keep the sink waiting are the generator's doing. Where they left
    in time, or the target kept the sink waiting, whatever is missing is the target's.
    """
    late = found.recorder.lag.whole
    slowest = late.quantile(0.99)
    rates = f"{found.achieved:,.0f}/s acknowledged of {found.offered:,.0f}/s offered"
    if found.exhausted:
        text = f"the generator was the bottleneck, not {target}: there were no more facts after {found.ended:,.1f} s"
        return Verdict("generator", f"{text}; {rates}{_full(found)}")
    if slowest > TOLERANCE and found.blocked_s < 0.5 * late.largest:
        text = f"the generator was the bottleneck, not {target}: the slowest hundredth of the facts left"
        return Verdict("generator", f"{text} {slowest:,.2f} s late or more; {rates}{_full(found)}")
    if slowest > TOLERANCE:
        text = f"{target} was the bottleneck: it kept facts waiting for {found.blocked_s:,.1f} s"
        return Verdict("target", f"{text}; {rates}{_full(found)}")
    return _in_time(found, target, rates)


def _in_time(found: Measured, target: str, rates: str) -> Verdict:
    """What it was where facts left when they were due."""
    waited = found.recorder.acks.whole.quantile(0.99)
    if found.achieved < CARRIED * found.offered or waited > SLOW:
        text = f"{target} was the bottleneck: facts left in time, and the slowest hundredth waited"
        return Verdict("target", f"{text} {waited:,.2f} s or more for its acknowledgement; {rates}{_full(found)}")
    return Verdict("nobody", f"nobody was the bottleneck: {rates}, and facts left in time{_full(found)}")


def _full(found: Measured) -> str:
    if found.machine < BUSY:
        return ""
    return "; all processors of this machine were busy, so that all that runs on it slowed each other down"
