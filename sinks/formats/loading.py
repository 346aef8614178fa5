"""When compiled code is worth loading: after many facts, on a thread of its own, so that facts go on meanwhile."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from threading import Lock
from types import ModuleType

LOG = logging.getLogger("datagen.sinks")

ENOUGH = 1_000_000
"""Facts from which on it is worth it: loading takes 20 ms of a processor, and saves 20 ns a fact."""

ALONE = 25
"""How many times as many are enough where nothing else has loaded numba: that takes half a second more."""


class Loading:
    """The compiled code of a process: None until it is loaded, and for good where it cannot be had."""

    def __init__(self) -> None:
        self.kernel: ModuleType | None = None
        self._facts = 0
        self._lock = Lock()
        self._future: Future[ModuleType] | None = None
        # The code writes whole words as they lie in memory.
        self._wanted = sys.byteorder == "little" and sys.maxsize > 2**32

    def after(self, facts: int) -> ModuleType | None:
        """The compiled code, if it is there, once `facts` more are about to be written; any thread may ask."""
        if not self._wanted:
            return self.kernel
        with self._lock:
            self._facts += facts
            if self._future is None and self._facts >= ENOUGH * (1 if "numba" in sys.modules else ALONE):
                self._begin()
            if self._future is not None and self._future.done():
                self._take_up(self._future)
        return self.kernel

    def wait(self) -> None:
        """Until what has begun to load is loaded, or has failed."""
        if self._future is not None:
            self._future.exception()

    def _begin(self) -> None:
        loader = ThreadPoolExecutor(1, "datagen-compiler")
        self._future = loader.submit(import_module, "sinks.formats.kernel")
        loader.shutdown(wait=False)

    def _take_up(self, future: Future[ModuleType]) -> None:
        self._wanted, error = False, future.exception()
        if error is None:
            self.kernel = future.result()
        else:
            # Whatever a compiler has to say, it is no reason to end a run that goes well without it.
            LOG.debug("Avro goes on without compiled code: %s", error)


PROCESS = Loading()
"""That of this process."""
