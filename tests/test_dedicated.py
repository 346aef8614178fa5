from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys

import pytest

from sim.cli.main import main
from sim.delivery.dedicated import dedicated

_FAULTS = """
import contextlib, resource, sys
import numpy as np
from sim.delivery.dedicated import dedicated
with dedicated() if sys.argv[1] == "yes" else contextlib.nullcontext():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for window in range(10):
        columns = [np.ones(2**18) for column in range(20)]
        del columns
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_is_there_is_left_out_of_collections_for_as_long_as_a_run_takes():
    with dedicated():
        assert gc.get_freeze_count() > 1000
    assert gc.get_freeze_count() == 0


def test_a_run_that_fails_gives_back_what_it_froze():
    with pytest.raises(OSError, match="full"), dedicated():
        raise OSError("full")
    assert gc.get_freeze_count() == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, which is told nothing")
def test_memory_that_was_freed_is_not_asked_of_the_system_again():
    asked, kept = (
        int(subprocess.run([sys.executable, "-c", _FAULTS, dedicated], capture_output=True, check=True).stdout)
        for dedicated in ("no", "yes")
    )
    assert kept < asked / 2


def test_the_command_asks_for_algebra_on_one_thread_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["datagen", "--version"])
    for given, found in ((None, "1"), ("3", "3")):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given or "")
        if given is None:
            monkeypatch.delenv("OPENBLAS_NUM_THREADS")
        with pytest.raises(SystemExit):
            main()
        assert os.environ["OPENBLAS_NUM_THREADS"] == found
