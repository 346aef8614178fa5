"""What the generator and the whole machine take of their processors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of a processor since some beginning: of the generator with its workers, and of all that runs here."""

    generator: float
    machine: float


CORES = psutil.cpu_count() or 1


def used(without: frozenset[int] = frozenset()) -> Used:
    """What has been used so far; the children of that process id are not the generator's."""
    own = psutil.Process()
    total = _seconds(own)
    for child in own.children(recursive=True):
        if child.pid not in without:
            with suppress(psutil.NoSuchProcess):
                total += _seconds(child)
    spent = psutil.cpu_times()
    return Used(total, sum(spent) - spent.idle - getattr(spent, "iowait", 0.0) - getattr(spent, "guest", 0.0))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
