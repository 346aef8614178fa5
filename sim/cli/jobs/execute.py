"""Three ways to execute a job: in this process, by workers with a sink each, by workers whose facts are merged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sim.cli.jobs.faults import Way, injected
from sim.cli.jobs.job import Job, send_shard, write_shard
from sim.delivery.dedicated import dedicated
from sim.delivery.gather import gather
from sim.delivery.merge import Merged
from sim.delivery.pipeline import Outcome, Progress, deliver
from sim.delivery.schedule import Live as Paced
from sim.delivery.seam import Seam
from sim.delivery.workers import Crew
from sinks.contract import Stopped
from sinks.run import Past

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sim.batch import Batch
    from sim.delivery.schedule import Schedule
    from sim.model.model import Model
    from sinks.contract import Sink


@dataclass(frozen=True, slots=True)
class Live:
    """What follows on history: the facts from the instant `since` (microseconds) on, when the wall's clock says so."""

    sink: Sink
    since: int
    outcome: Outcome = field(default_factory=Outcome)


@dataclass(frozen=True, slots=True)
class Execution:
    """How many processes, how many facts at most, and when they leave; None: no limit, as fast as possible."""

    workers: int = 1
    limit: int | None = None
    schedule: Schedule | None = None
    live: Live | None = None

    def merges(self, sink: Sink) -> bool:
        """Whether all facts must pass through one place in one order."""
        alone = (self.limit, self.schedule, self.live)
        return sink.interleaved or any(setting is not None for setting in alone)


def execute(
    job: Job,
    model: Model,
    sink: Sink,
    execution: Execution,
    stop: threading.Event,
    on_progress: Callable[[Progress], None] | None,
    outcome: Outcome,
) -> None:
    """Simulate and deliver the job's facts; `outcome` is filled in as far as it goes, also where an error is raised."""

    def hand_over(batches: Iterable[Batch]) -> None:
        able = sink.damages if execution.live is None else sink.damages & execution.live.sink.damages
        with dedicated(), injected(job, model, batches, execution.limit, on_progress, able) as way:
            carry(way)

    def carry(way: Way) -> None:
        run = job.run(model)
        told = partial(deliver, streams=model.streams, stop=stop, on_progress=way.on_progress)
        if (live := execution.live) is None:
            schedule, resume = execution.schedule, job.resume
            told(way.batches, sink, run=run, limit=way.limit, schedule=schedule, outcome=outcome, resume=resume)
            return
        whole = Past(run.start, run.end, live.since)
        later = replace(run, start=live.since, truth=None, whole=whole)
        live.sink.stop = stop
        with live.sink, suppress(Stopped):
            # Before the history, so that nobody waits for that only to learn that there is no broker.
            live.sink.open(model.streams, later, job.resume)
            seam = Seam(way.batches, len(model.streams), live.since, live.sink.resumed)
            history = replace(run, end=live.since, whole=whole)
            told(seam.before(), sink, run=history, outcome=outcome, resume=job.resume)
            if not stop.is_set():
                schedule = Paced(live.since)
                told(seam.after(), live.sink, run=later, schedule=schedule, outcome=live.outcome, opened=True)

    began = time.monotonic()
    jobs = job.split(execution.workers, model) if execution.workers > 1 else [job]
    try:
        if len(jobs) == 1:
            hand_over(job.batches(model))
        elif execution.merges(sink):
            with _merging(job, jobs, model, stop) as source:
                hand_over(source)
        else:
            with Crew(write_shard, jobs) as crew:
                gather(crew, stop, outcome, on_progress)
    finally:
        outcome.stopped |= stop.is_set()
        if execution.live is None:
            outcome.elapsed_s = time.monotonic() - began


def _merging(job: Job, jobs: Sequence[Job], model: Model, stop: threading.Event) -> Merged[Job]:
    """What several workers simulate, as one sequence."""

    def start(begin: int) -> Crew[Job]:
        return Crew(send_shard, [replace(own, begin=begin) for own in jobs])

    seed = model.seed if job.seed is None else job.seed
    folder = None if job.state is None else Path(job.state)
    return Merged(start, [own.shard for own in jobs], model, seed, job.shard, folder, stop, early=not job.resume)
