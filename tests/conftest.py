"""What holds for all tests.

Generated examples are the same in every run, so that a failure is one for everybody; no test leaves a process behind.
"""

from __future__ import annotations

import pytest
from commands import end_all
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def nothing_left_running():
    yield
    end_all()
