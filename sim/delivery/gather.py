"""Workers with sinks of their own: their progress and their outcomes, added up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sim.delivery.pipeline import Outcome, Progress
from sim.delivery.remarks import Remark
from sim.delivery.workers import Crew
from sim.errors import SimulationError

Job = TypeVar("Job")


def gather(
    crew: Crew[Job],
    stop: threading.Event,
    outcome: Outcome,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Wait for the workers of a started crew, whose work returns an `Outcome`; `Progress` and `Remark` come meanwhile.

    `outcome` collects what all of them committed; its watermark is that of the slowest. Once `stop` is set, or one has
    failed, all are told to finish the window in hand; the first error is raised when the others are through.
    """
    latest: dict[int, Progress] = {}
    running = list(range(len(crew)))
    error: Exception | None = None
    told = False
    while running:
        if not told and (stop.is_set() or error is not None):
            crew.stop()
            told = True
        for worker in crew.ready(running):
            try:
                message = crew.receive(worker)
            except Exception as caught:
                error = error or caught
                running.remove(worker)
                continue
            if isinstance(message, Outcome):
                outcome.add(message)
                running.remove(worker)
                if message.stopped and not (told or stop.is_set()):
                    error = SimulationError(f"worker {worker + 1} of {len(crew)} was stopped from outside")
            elif isinstance(message, Remark):
                message.repeat(worker)
            else:
                latest[worker] = message
        if on_progress and len(latest) == len(crew):
            on_progress(_together(latest))
    if error is not None:
        raise error
    return outcome


def _together(latest: dict[int, Progress]) -> Progress:
    return Progress(min(p.watermark for p in latest.values()), sum(p.facts for p in latest.values()))
