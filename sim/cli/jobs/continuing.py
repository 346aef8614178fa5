"""Times that are relative to now, in a run that is gone on with: they are those of the first process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sim.cli.terminal import when

if TYPE_CHECKING:
    from sim.cli.jobs.job import Job
    from sinks.contract import Past, Sink


def resolved(texts: Mapping[str, str | None], present: int, past: Past | None = None) -> dict[str, str | None]:
    """What the options `start`, `until` and `end` mean: what is relative to now as it was in `past`, if there is one.

    `present` is now, in microseconds since the epoch. Raises ParameterError where a span makes no sense.
    """
    from sim.maths.instants import format_instant

    found: dict[str, str | None] = {}
    for name, text in texts.items():
        known = getattr(past, name, None) if when.relative(text) else None
        found[name] = when.resolve(f"--{name}", text, present) if known is None else format_instant(known)
    return found


def past_of(job: Job, sinks: Sequence[Sink], texts: Mapping[str, str | None]) -> Past | None:
    """What the sinks know of an earlier process of this run, where that matters; None where it does not."""
    if not any(when.relative(text) for text in texts.values()):
        return None
    from sim.scenario.loader import load

    name = load(job.scenario, job.overrides).name
    return next((past for sink in sinks if (past := sink.last_run(name)) is not None), None)
