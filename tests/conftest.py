"""What holds for all tests.

Generated examples are the same in every run, so that a failure is one for everybody; no test leaves a process behind.
"""

from __future__ import annotations

import re

import pytest
from commands import end_all
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


class Scheduling(LoadFileScheduling):
    """One process for the tests of a file, as they share what they prepare; one for the commands of a page, and one for
    a scenario and the answers of its page, so that it is simulated once.
    """

    GROUP = re.compile(r"test_docs\.py::.*?\[([^:]+\.md): |test_docs_sql\.py::.*?\[(\w+)|test_scenario_(\w+)\.py::")

    def _split_scope(self, nodeid: str) -> str:
        found = self.GROUP.search(nodeid)
        return super()._split_scope(nodeid) if found is None else found[found.lastindex or 0]


def pytest_xdist_make_scheduler(config, log):
    """What gives tests to processes, where there are several."""
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def nothing_left_running():
    yield
    end_all()
