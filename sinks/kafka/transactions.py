"""Transactions: facts and the checkpoint that counts them become visible together, or not at all.

A transaction that a broker's failure has broken is aborted and sent again, so its messages are kept until it is
through.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

from sim.errors import SinkError
from sinks.contract import Stopped
from sinks.kafka.client import Client, Standing
from sinks.kafka.messages import Messages

TIMEOUT_MS = 600_000
"""For so long brokers keep a transaction open that its producer does not go on with."""

GRACE = 5.0
"""Seconds that brokers which do not answer get once the run is to end."""

_TRY = 1.0
_TRIES = 3
"""How often a transaction is sent again whose messages were refused for another reason than a broker's absence."""


class _Broken(Exception):
    """The transaction can only be aborted."""


class Transactions:
    """One transaction after the other, through one client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._producer = client.producer
        self._open = self._given_up = False
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
            if self._given_up or not self._dropped():
                self._client.purge()
                self._client.restore(self._before)

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

    def _dropped(self) -> bool:
        """Whether brokers have taken back what was not committed; otherwise they will when they hear of it no more."""
        try:
            self._drop()
        except (SinkError, Stopped, _Broken):
            return False
        return True

    def _drop(self) -> None:
        self._insist(self._producer.abort_transaction)
        while len(self._producer):
            self._producer.poll(0.05)
        self._client.restore(self._before)

    def _insist(self, act: Callable[[float], None]) -> None:
        """Do it, waiting for brokers as long as it takes, or until the run is to end (`Stopped`).

        Raises SinkError where waiting is of no use.
        """
        ending: float | None = None
        while True:
            try:
                act(_TRY)
                self._client.waiting.over()
                return
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.txn_requires_abort():
                    raise _Broken from None
                # A commit that failed for good stays in the way of everything else, as a conflict that seems to pass.
                passing = reason.retriable() and reason.code() != KafkaError._CONFLICT
                if reason.fatal() or not (passing or reason.code() == KafkaError._TIMED_OUT):
                    raise self._client.broken(error) from None
            self._client.waiting.still(self._client.trouble or reason.str())
            if self._client.stop is not None and self._client.stop.is_set():
                ending = time.monotonic() if ending is None else ending
                if time.monotonic() - ending >= GRACE:
                    self._given_up = True
                    raise Stopped
