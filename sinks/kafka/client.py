"""The connection to Kafka: one producer, and the account of what became of its messages."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import finalize, ref

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from sim.errors import SinkError
from sinks.contract import Stopped
from sinks.kafka.enqueue import OneByOne
from sinks.kafka.messages import Messages
from sinks.kafka.prompter import Prompter
from sinks.kafka.settings import Settings
from sinks.kafka.waiting import Found, Patience, Waiting, Watch
from sinks.kafka.ways import AUTO, Way, Ways

LOG = logging.getLogger("datagen.sinks.kafka")
LOG.addHandler(logging.NullHandler())

_TRY = 0.5
ANSWER = 10.0
"""Seconds for one answer of the brokers; after them it is asked again."""

REFUSED = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED})
"""Errors after which trying again is of no use: who we are is not believed, or a certificate not trusted."""

_OF_TOPICS = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
_HOPELESS = _OF_TOPICS | {
    KafkaError._MSG_TIMED_OUT,
    KafkaError._FATAL,
    KafkaError._AUTHENTICATION,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}

_PASSING = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""Why messages fail in a transaction that is sent again as a whole."""

ABSENT = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_CONTROLLER,
    }
)
"""What is said where the broker that could answer is away, or not yet known to the others."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A client's account at one moment."""

    handed: int
    bytes: int
    graves: int
    lost: int
    refused: int
    failed: Counter[str]


class Client:
    """A producer whose every message is accounted for: acknowledged, failed (by reason) or still under way.

    The client library reports failures only, one callback each; it holds a message in its queue until its fate is
    decided, so acknowledged = handed over - failed - still queued, at no cost for those that go well.
    Where messages are sent in transactions, one that fails because brokers are away is no loss yet. With `prompt` it
    hears of each delivery at once, for those who want to know when. Raises ParameterError where the settings are
    refused, and what `Ways` raises.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        stop: threading.Event | None = None,
        enqueue: str = AUTO,
        *,
        prompt: bool = False,
    ) -> None:
        self._failed: Counter[str] = Counter()
        self.handed = 0
        self.bytes = 0
        self.graves = 0
        """Tombstones and checkpoints, which are messages but no facts."""
        self.waited = 0.0
        """Seconds of waiting for room in the client's queue, which empties as brokers acknowledge."""
        self.stop = stop
        self.waiting = Waiting()
        self._lost = self._refused = 0
        self._transactional = "transactional.id" in settings.values
        self._lasting = ""
        self.hopeless: str | None = None
        self._settings = settings
        self.url = self._url = url
        self._trouble = self._refusal = self._fatal = ""
        self._left: int | None = None
        ours: dict[str, Any] = {"error_cb": self._on_error, "on_delivery": self._on_delivery}
        # Of every message hearing costs 0.1 us of 0.7.
        ours["delivery.report.only.error"] = not prompt
        values: dict[str, Any] = {**settings.values, **ours}
        try:
            self.producer = Producer(values, logger=LOG)
        except KafkaException as error:
            raise settings.refused(error.args[0].str()) from None
        self.partitions: dict[str, int] = {}
        """How many partitions topics have, where messages may go to the one that the Java client would choose."""
        self._ways = Ways(enqueue, self.producer, str(values.get("client.id", "rdkafka")), self.partitions)
        self._prompt = Prompter(self.producer) if prompt else None
        self._watch = _watch(self)

    def admin(self) -> AdminClient:
        """A client for topics, with the same settings."""
        values: dict[str, Any] = {**self._settings.values, "error_cb": self._on_error}
        return AdminClient(values, logger=LOG)

    def connect(self, timeout: float) -> None:
        """Wait until a broker answers, and say so. Raises SinkError with the reason after `timeout` seconds, or at once
        where trying again is of no use; `Stopped` where the run is to end.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.producer.list_topics(timeout=max(0.05, min(_TRY, deadline - time.monotonic())))
                break
            except KafkaException as error:
                self.producer.poll(0)
                reason = self._trouble or error.args[0].str()
                self.waiting.still(self.trouble or reason)
            if self._refusal or time.monotonic() >= deadline:
                text = self._refusal or f"no broker answers within {timeout:g} s: {reason}"
                raise SinkError(f"{self._url}: {self._settings.redact(text)}")
            if self.stop is not None and self.stop.is_set():
                raise Stopped
        self.waiting.over()
        self._watch.start()

    def outlast(self, attempt: Callable[[], Found], timeout: float) -> Found:
        """What `attempt` gives, made again while brokers are away, for `timeout` seconds in all.

        Raises SinkError with the reason where they stay away or have said no; `Stopped` where the run is to end.
        """
        try:
            return Patience(self.waiting, timeout, self.stop).outlast(attempt, self._absence)
        except KafkaException as error:
            raise self.broken(error) from None

    def _absence(self, error: Exception) -> str:
        """Why it is worth asking again; nothing where a broker has answered, or nobody is believed."""
        if not isinstance(error, KafkaException) or error.args[0].code() not in ABSENT:
            return ""
        self.producer.poll(0)  # hears what else is in the way
        return "" if self._refusal else self._settings.redact(self._trouble or error.args[0].str())

    @property
    def trouble(self) -> str:
        """What the client library has last complained of, without secrets."""
        return self._settings.redact(self._trouble)

    def send(self, messages: Messages, hear: Callable[[], None] | None = None) -> None:
        """Hand messages over, waiting for room where the queue is full; `hear` is called whenever one is acknowledged.

        Raises SinkError where others failed for a reason that these will meet too.
        """
        report = None if hear is None else partial(self._on_watched, hear)
        alone = messages.is_listed or report is not None
        way: Way = OneByOne(self.producer, report) if alone else self._ways.after(self.handed)
        ready = way.ready(messages)
        for first in range(0, len(ready.values), way.at_once):
            self.check()
            some = ready.rows(first, first + way.at_once)
            done = way.hand_over(some)
            self.handed += len(some.values)
            self._note(done.refused)
            self._lost += done.refused.total()
            self._refused += done.refused.total()
            self._lasting = next(iter(done.refused), self._lasting)
            self.waited += done.waited
            self.producer.poll(0)
        self.bytes += messages.bytes
        self.graves += messages.graves

    @property
    def groups(self) -> bool:
        """Whether messages may come in any order of partitions, because they are grouped here."""
        return self._ways.way.groups

    @property
    def failed(self) -> Counter[str]:
        """How many messages failed, by reason."""
        self._learn()
        return self._failed

    def _note(self, refused: Counter[str]) -> None:
        """Count what the client library has refused; after a fatal error, for the reason of that."""
        if refused:
            self.producer.poll(0)
            self._failed[self._fatal or next(iter(refused))] += refused.total()

    def standing(self) -> Standing:
        """The account as it is now."""
        failed = Counter(self.failed)
        return Standing(self.handed, self.bytes, self.graves, self._lost, self._refused, failed)

    def restore(self, standing: Standing) -> None:
        """Forget what has happened since: a transaction was aborted."""
        self._learn()
        self.handed, self.bytes, self.graves = standing.handed, standing.bytes, standing.graves
        self._lost, self._refused, self._failed = standing.lost, standing.refused, Counter(standing.failed)
        self._watch.restart()

    def lasting_failure(self) -> str:
        """Why messages were refused for another reason than that brokers were away; empty where none were."""
        self._learn()
        reason, self._lasting = self._lasting, ""
        return self._settings.redact(reason)

    def broken(self, error: KafkaException) -> SinkError:
        """What the client library says, for a user's eyes."""
        return SinkError(f"{self._url}: {self._settings.redact(error.args[0].str())}")

    @property
    def acknowledged(self) -> int:
        """Messages that the brokers have said they have."""
        # The queue holds complaints of the client library, too: once all is settled they must not count as messages.
        under_way = len(self.producer) if self._left is None else self._left
        # Others ask, too, from threads that must not write here.
        return self.handed - self._lost - self._ways.way.untold - under_way

    def check(self) -> None:
        """Raise SinkError where messages failed for a reason that the next ones will meet too."""
        self._learn()
        if self.hopeless:
            raise SinkError(f"{self._url}: {self._settings.redact(self.hopeless)}")

    def finish(self) -> None:
        """Wait until the fate of every message is decided, which its time-out bounds; then count those left over."""
        try:
            self._left = self._settle()
        finally:
            self._watch.stop(self._left == 0 and not self._lost)
            if self._prompt is not None:
                self._prompt.stop()

    def purge(self) -> None:
        """Give up the messages that are under way."""
        self.producer.purge()
        while len(self.producer):
            self.producer.poll(0.05)

    def _settle(self) -> int:
        patience = self._patience()
        seen, since = len(self.producer), time.monotonic()
        while left := self._flush():
            if left != seen:
                seen, since = left, time.monotonic()
            elif time.monotonic() - since > patience:
                self._failed["not acknowledged in time"] += left
                return left
        if missing := self._ways.way.undecided:
            self._failed["unaccounted for"] += missing
            self._lost += missing
        return 0

    def _flush(self) -> int:
        try:
            return self.producer.flush(_TRY)
        except KafkaException:  # after a fatal error nothing will get through any more
            self.purge()
            return 0

    def _patience(self) -> float:
        values = self._settings.values
        milliseconds = values.get("delivery.timeout.ms") or values["message.timeout.ms"]
        return (float(milliseconds) or 300_000) / 1000 + 10

    def _on_watched(self, hear: Callable[[], None], error: KafkaError | None, message: Message) -> None:
        if error is None:
            hear()
        else:
            self._on_delivery(error, message)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._fail(message.topic() or "", error, 1)

    def _learn(self) -> None:
        for topic, error, count in self._ways.way.failures():
            self._fail(topic, error, count)

    def _fail(self, topic: str, error: KafkaError, count: int) -> None:
        self._failed[self._reason(error, topic)] += count
        self._lost += count
        if self._transactional and error.code() in _PASSING:
            return
        self._lasting = error.str()
        if error.code() in _HOPELESS or error.fatal():
            self.hopeless = f"topic {topic!r}: {error.str()}{self._because()}"

    def _reason(self, error: KafkaError, topic: str) -> str:
        if self._fatal:
            return self._fatal
        return f"topic {topic!r}: {error.str()}" if error.code() in _OF_TOPICS else error.str()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error.str()
        if error.code() in REFUSED:
            # Final at the start; later it may pass, as where a broker restarts, and time-outs will tell.
            self._refusal = error.str()
        if error.fatal():
            self.hopeless = self._fatal = self._settings.redact(error.str())

    def _because(self) -> str:
        return f" ({self._trouble})" if self._trouble else ""


def _watch(client: Client) -> Watch:
    """A watch that does not keep a client alive which nobody has closed."""
    known = ref(client)

    def account() -> tuple[int, int]:
        own = known()
        return (0, 0) if own is None else (own.acknowledged, len(own.producer))

    def reason() -> str:
        own = known()
        return "" if own is None else own.trouble

    watch = Watch(client.waiting, account, reason)
    finalize(client, watch.abandon)
    return watch
