"""Transactions: facts and the checkpoint that counts them become visible together, or not at all.

A transaction that a broker's failure has broken is aborted and sent again, so its messages are kept until it is
through.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

from sim.errors import SinkError
from sinks.kafka.client import Client, Standing
from sinks.kafka.messages import Messages

LOG = logging.getLogger("datagen.sinks")

TIMEOUT_MS = 600_000
"""For so long brokers keep a transaction open that its producer does not go on with."""

_TRY = 1.0
_SAY = 10.0
_TRIES = 3
"""How often a transaction is sent again whose messages were refused for another reason than a broker's absence."""


class _Broken(Exception):
    """The transaction can only be aborted."""


class Transactions:
    """One transaction after the other, through one client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._producer = client.producer
        self._open = False
        self._sent: list[Messages] = []
        self._before: Standing = client.standing()

    def begin_all(self) -> None:
        """Become the only producer of this name; what an earlier one has left open is aborted.

        Raises SinkError where the brokers refuse.
        """
        self._insist(self._producer.init_transactions)

    def send(self, messages: Messages) -> None:
        """Hand messages over, as part of the transaction, which is begun where none is open."""
        if not self._open:
            self._begin()
        self._sent.append(messages)
        self._client.send(messages)

    def commit(self, checkpoint: Messages) -> None:
        """Add a checkpoint and commit, where a transaction is open. Raises SinkError where that is of no use."""
        if not self._open:
            return
        self.send(checkpoint)
        tries = 0
        while not self._through():
            tries += 1
            lasting = self._client.lasting_failure()
            if lasting and tries >= _TRIES:
                self.abort()
                raise SinkError(f"{self._client.url}: {lasting}: nothing of this transaction was written")
            self._again()
        self._sent.clear()
        self._open = False
        self._client.graves += 1

    def abort(self) -> None:
        """Drop what was not committed."""
        if self._open:
            self._open = False
            self._sent.clear()
            self._drop()

    def _begin(self) -> None:
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise self._client.broken(error) from None
        self._before = self._client.standing()
        self._open = True

    def _through(self) -> bool:
        """Whether the transaction is committed; False where it must be aborted."""
        if self._client.standing().refused > self._before.refused:
            return False
        try:
            self._insist(self._producer.commit_transaction)
        except _Broken:
            return False
        return True

    def _again(self) -> None:
        messages, self._sent, self._open = self._sent, [], False
        self._drop()
        for chunk in messages:
            self.send(chunk)

    def _drop(self) -> None:
        self._insist(self._producer.abort_transaction)
        while len(self._producer):
            self._producer.poll(0.05)
        self._client.restore(self._before)

    def _insist(self, act: Callable[[float], None]) -> None:
        """Do it, waiting for brokers as long as it takes. Raises SinkError where waiting is of no use."""
        began = said = time.monotonic()
        while True:
            try:
                act(_TRY)
                return
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.txn_requires_abort():
                    raise _Broken from None
                if reason.fatal() or not (reason.retriable() or reason.code() == KafkaError._TIMED_OUT):
                    raise self._client.broken(error) from None
            now = time.monotonic()
            if now - said >= _SAY:
                said = now
                LOG.warning("waiting for the brokers since %.0f s: %s", now - began, reason.str())
