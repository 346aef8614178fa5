"""Workers: one process a shard, started, watched and stopped together.

A worker runs a module-level function of its job and of a `Link` to the parent. It ignores Ctrl-C, which a terminal
sends to the whole group, because the parent decides: it tells its workers to stop, and so does its death, because the
link then ends.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from sim.delivery import nursery
from sim.delivery.dedicated import dedicated
from sim.errors import DatagenError, DeliveryError, ParameterError, SimulationError, SinkError

Job = TypeVar("Job")

GRACE = 30.0
"""Seconds that a worker gets to close its sink once told to stop because of another's failure; then it is killed."""

_POLL = 0.1
_REVIVED = {kind.__name__: kind for kind in (SimulationError, SinkError, DeliveryError, ParameterError)}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a worker in a form that crosses processes: its class name, its text, its exit code."""

    kind: str
    text: str
    exit_code: int

    def revive(self) -> Exception:
        """The error again: of its own class where that takes a text, otherwise a DatagenError with its exit code."""
        if not self.exit_code:
            return RuntimeError(self.text)
        if self.kind in _REVIVED:
            return _REVIVED[self.kind](self.text)
        error = DatagenError(self.text)
        error.exit_code = self.exit_code
        return error


class Link:
    """A worker's end: `send` anything picklable to the parent; `stop` is set when the parent says so or is gone."""

    def __init__(self, connection: Connection) -> None:
        self.stop = threading.Event()
        self._connection = connection
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, name="datagen-link", daemon=True).start()

    def send(self, message: object) -> None:
        """Hand a message to the parent; waits while its pipe is full, BrokenPipeError where it is gone."""
        self._guarded(lambda: self._connection.send(message))

    def send_bytes(self, data: bytes | memoryview) -> None:
        """The same for bytes, which the parent reads with `Crew.receive_bytes`."""
        self._guarded(lambda: self._connection.send_bytes(data))

    def _guarded(self, send: Callable[[], None]) -> None:
        try:
            with self._sending:
                send()
        except ConnectionError as error:
            raise BrokenPipeError("the parent of this worker is gone") from error

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            self._connection.recv_bytes()
        self.stop.set()


class Crew(Generic[Job]):
    """The parent's side of all workers; a context manager whose end leaves no process behind.

    `work(job, link)` must be a module-level function, jobs picklable. What it returns arrives as its last message.
    `processes` are the workers in the order of their jobs.
    """

    def __init__(self, work: Callable[[Job, Link], object], jobs: Sequence[Job]) -> None:
        self._work, self._jobs = work, jobs
        self.processes: list[BaseProcess] = []
        self._connections: list[Connection] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __enter__(self) -> Self:
        processes = nursery.context()
        with nursery.starting(len(self._jobs)):
            setting = dict(os.environ)
            for job in self._jobs:
                ours, theirs = processes.Pipe()
                process = processes.Process(target=_main, args=(self._work, job, theirs, setting), daemon=True)  # type: ignore[attr-defined]
                process.start()
                theirs.close()  # else the end of the worker would not end the connection
                self.processes.append(process)
                self._connections.append(ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for connection in self._connections:
            connection.close()
        for process in self.processes:
            process.join(GRACE)
            if process.is_alive():
                process.kill()
                process.join()

    def stop(self) -> None:
        """Tell every worker to finish the window in hand and to close its sink."""
        for connection in self._connections:
            with suppress(OSError):
                connection.send_bytes(b"stop")

    def receive(self, worker: int) -> Any:
        """The next message of a worker, waiting for it; raises its error, or SimulationError where it died."""
        try:
            message = self._connections[worker].recv()
        except (EOFError, ConnectionError):
            raise SimulationError(self._obituary(worker)) from None
        if isinstance(message, Failure):
            raise message.revive()
        return message

    def receive_bytes(self, worker: int) -> bytes:
        """The next message as bytes, of a worker that announced it."""
        try:
            return self._connections[worker].recv_bytes()
        except (EOFError, ConnectionError):
            raise SimulationError(self._obituary(worker)) from None

    def ready(self, workers: Sequence[int]) -> list[int]:
        """Those of the workers that have a message, after at most a tenth of a second; maybe none."""
        found = wait([self._connections[i] for i in workers], _POLL)
        return [i for i in workers if self._connections[i] in found]

    def _obituary(self, worker: int) -> str:
        process = self.processes[worker]
        process.join(_POLL * 10)
        code = process.exitcode
        cause = f"by signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        return f"worker {worker + 1} of {len(self)} died {cause}"


def _main(work: Callable[[Any, Link], object], job: object, connection: Connection, setting: Mapping[str, str]) -> None:
    os.environ.update(setting)  # a server that forks workers may have started with another one
    link = Link(connection)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: link.stop.set())
    nursery.unshield()
    _limit_arrow(int(setting["OMP_NUM_THREADS"]))
    with suppress(BrokenPipeError), dedicated():
        link.send(_result(work, job, link))


def _result(work: Callable[[Any, Link], object], job: object, link: Link) -> object:
    try:
        return work(job, link)
    except DatagenError as error:
        return Failure(type(error).__name__, str(error), error.exit_code)
    except Exception as error:
        return Failure(type(error).__name__, f"a worker failed:\n{traceback.format_exc()}", 0)


def _limit_arrow(threads: int) -> None:
    import pyarrow as pa

    pa.set_cpu_count(threads)
