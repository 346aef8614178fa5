"""Going on with a run: what times relative to now mean then, and where snapshots of the simulation are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sim.cli.jobs.job import beside
from sim.cli.terminal import when
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.cli.jobs.execute import Execution
    from sim.cli.jobs.job import Job
    from sinks.contract import Sink
    from sinks.run import Past


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


def state_of(asked: str | None, job: Job, sink: Sink, faulty: bool, execution: Execution) -> str | None:
    """The folder for snapshots of the simulation: what the user says, or else beside files; None where none are kept.

    `faulty` says that faults are injected. Raises ParameterError where the user asks for some that would be of no use.
    """
    reason = ""
    if not sink.resumable:
        reason = sink.unresumable
    elif execution.live is not None and not execution.live.sink.resumable:
        reason = execution.live.sink.unresumable
    elif faulty and execution.limit is not None:
        reason = "with a limit, a run in which faults are injected cannot be resumed"
    if asked is not None and reason:
        raise ParameterError(f"--state {asked}: {reason}")
    return None if reason else asked or beside(sink, "state")
