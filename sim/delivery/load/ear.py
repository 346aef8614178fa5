"""The ear of a load test: a process of its own that reads back what the sink writes, so that it slows down nobody."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import numpy as np

from sim.delivery.load.recorder import Instants, Recorder
from sim.delivery.workers import Crew, Link
from sim.errors import DatagenError
from sinks.probe import Listener

EAR_USES = ("sim.delivery.load.ear", "sinks.kafka.listening")
"""The modules that the process needs."""


def listen(listener: Listener, link: Link) -> None:
    """What the process does."""

    def tell(due: Instants, at: int, each: int, count: int) -> None:
        link.send((at, each, count, due.tobytes()))

    listener.listen(lambda: link.send(None), tell, link.stop)


class Ear:
    """Listens while the context lasts, on behalf of one recorder after the other; without a listener it is deaf.

    Entering waits until nothing can be missed any more. What the listener fails with is raised by `check`.
    """

    def __init__(self, listener: Listener | None) -> None:
        self.recorder: Recorder | None = None
        self.heard = 0
        self._crew = None if listener is None else Crew(listen, [listener])
        self._over = threading.Event()
        self._error: DatagenError | None = None
        self._thread = threading.Thread(target=self._receive, name="datagen-ear", daemon=True)

    def __enter__(self) -> Self:
        if self._crew is not None:
            self._crew.__enter__()
            try:
                self._crew.receive(0)
            except BaseException as error:
                self._crew.__exit__(type(error), error, error.__traceback__)
                raise
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._crew is not None:
            self._thread.join()
            self._crew.__exit__(kind, error, trace)

    @property
    def listens(self) -> bool:
        """Whether there is anything to listen with."""
        return self._crew is not None

    @property
    def processes(self) -> frozenset[int]:
        """The ids of its processes."""
        pids = [] if self._crew is None else [process.pid for process in self._crew.processes]
        return frozenset(pid for pid in pids if pid is not None)

    def check(self) -> None:
        """Raise what the listener has failed with."""
        if self._error is not None:
            raise self._error

    def _receive(self) -> None:
        assert self._crew is not None
        try:
            while not self._over.is_set():
                for worker in self._crew.ready([0]):
                    message = self._crew.receive(worker)
                    if message is None:
                        return
                    self._hear(*message)
        except DatagenError as error:
            self._error = error

    def _hear(self, at: int, each: int, count: int, due: bytes) -> None:
        self.heard += count
        if self.recorder is not None:
            self.recorder.arrived(np.frombuffer(due, dtype=np.int64), at, each, count)
