"""When compiled code is worth loading: after many facts, on a thread of its own, so that facts go on meanwhile."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from threading import Lock
from types import ModuleType

LOG = logging.getLogger("datagen.sinks")


class Loading:
    """The compiled code of one format in a process: None until it is loaded, and for good where it cannot be had.

    `enough` is the number of facts from which on it is worth it, `alone` that where nothing else has loaded numba.
    """

    def __init__(self, module: str, enough: int, alone: int) -> None:
        self.kernel: ModuleType | None = None
        self._module = module
        self._enough, self._alone = enough, alone
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
            if self._future is None and self._facts >= (self._enough if "numba" in sys.modules else self._alone):
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
        self._future = loader.submit(import_module, self._module)
        loader.shutdown(wait=False)

    def _take_up(self, future: Future[ModuleType]) -> None:
        self._wanted, error = False, future.exception()
        if error is None:
            self.kernel = future.result()
        else:
            # Whatever a compiler has to say, it is no reason to end a run that goes well without it.
            LOG.debug("%s: facts go on without compiled code: %s", self._module, error)


AVRO = Loading("sinks.formats.avro_kernel", 1_000_000, 25_000_000)
"""Loading takes 20 ms of a processor, numba half a second; it saves 20 ns a fact."""

JSON = Loading("sinks.formats.json_kernel", 500_000, 3_000_000)
"""Loading takes a tenth of a second, numba half a second; it saves 300 ns a fact."""
