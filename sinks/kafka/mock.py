"""A Kafka broker inside this process: the client library's mock cluster, for demonstrations and tests.

It takes and serves records, keeps them in memory and forgets them at the end. It does not create topics on request
(they come into being when written to, with four partitions) and is no proof of any guarantee.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from confluent_kafka import Producer


class MockBroker:
    """Runs as long as the context; `address` is HOST:PORT[,HOST:PORT], reachable from other processes too."""

    def __init__(self, brokers: int = 1) -> None:
        self._brokers = brokers
        self._host: Producer | None = None
        self.address = ""

    def __enter__(self) -> Self:
        self._host = Producer({"test.mock.num.brokers": str(self._brokers), "log_level": "0"})
        found = self._host.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in found)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The cluster ends with the client that holds it.
        self._host = None
