"""The broker that these tests share, and a way to read what is in its topics."""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kafka.broker import Broker, absence
from tests.kafka.registry import Registry, given

GIVEN = "DATAGEN_TEST_BROKER"


def need_broker() -> None:
    """Skip, or fail where a broker is required, unless one can be had."""
    reason = absence()
    if reason and (os.environ.get("CI") == "true" or os.environ.get("DATAGEN_REQUIRE_BROKER") == "1"):
        pytest.fail(f"a broker is required here: {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def own_broker() -> Iterator[Broker]:
    """A broker of our own, with all its listeners."""
    need_broker()
    if GIVEN in os.environ:
        pytest.skip(f"only with a broker of our own, and {GIVEN} names another")
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest) -> str:
    """HOST:PORT of a real broker."""
    return os.environ.get(GIVEN) or request.getfixturevalue("own_broker").address


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """The URL of a real schema registry."""
    need_broker()
    if named := given():
        yield named
        return
    with Registry() as started:
        yield started.url


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test's topics have."""
    return f"t{uuid.uuid4().hex[:8]}."
