"""What a process is told that does nothing but generate: how to treat its memory."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What glibc's mallopt calls the settings (malloc.h)."""

_KEPT = 512 << 20
_LARGEST = 32 << 20
"""Bytes that may lie idle before the system gets them back, and from which on an array is mapped on its own: as many as
glibc allows.
"""


@contextmanager
def dedicated() -> Iterator[None]:
    """Keep memory that is freed, from now on; inside, what is there already is left out of garbage collections.

    The arrays of a window are some megabytes each. By default each is mapped anew, page by page, and given back when it
    is freed, which takes a tenth of a simulation's time. Where the C library is another one, this part changes nothing.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_TRIM_THRESHOLD, _KEPT)
            library.mallopt(_MMAP_THRESHOLD, _LARGEST)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
