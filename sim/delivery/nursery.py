"""Where worker processes come from: on Linux they are forked off a server that has imported what they need.

Importing takes each process half a second of a core. The server does it once, while the parent still reads the
scenario, and has no threads that a fork could cut off in the middle of something. Elsewhere workers are spawned, and
import for themselves.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.context import BaseContext

SHIELDED = (signal.SIGINT, signal.SIGTERM)
_POOLS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def context() -> BaseContext:
    """How processes are started on this system."""
    return get_context("forkserver" if sys.platform == "linux" else "spawn")


def threads_each(workers: int) -> int:
    """The threads that each of so many workers may use at once."""
    return max(1, (os.cpu_count() or 1) // workers)


def prepare(workers: int, modules: Sequence[str]) -> None:
    """Let so many workers be made ready in the background: they will use `modules`. Does not wait for anything."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(list(modules))
        with starting(workers):
            forkserver.ensure_running()


@contextmanager
def starting(workers: int) -> Iterator[None]:
    """Processes started inside inherit what they must: small thread pools, and signals that wait.

    Libraries read the size of their pools from the environment when they are first imported. No signal reaches a
    worker before it can answer, because it inherits the mask.
    """
    with _environment(threads_each(workers)), _shield():
        yield


def unshield() -> None:
    """In a worker: take signals from now on."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SHIELDED)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _POOLS}
    os.environ.update(dict.fromkeys(_POOLS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _shield() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its first start would take the mask off again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHIELDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
