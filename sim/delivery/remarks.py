"""Remarks of sinks, which reach the user wherever the sink is: those of a worker travel to the parent first.

Sinks speak through one logger. A remark of level warning is always shown; one of level info where it has an `event`,
which names what has happened for machines: `waiting` (for the target) and `going_on` (it is back).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

LOGGER = "datagen.sinks"
"""What sinks say to the user; below it is the chatter of client libraries, which is not shown."""

WAITING, GOING_ON = "waiting", "going_on"


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark in a form that crosses processes; `level` is one of the logging module."""

    level: int
    text: str
    event: str | None = None

    @classmethod
    def of(cls, record: logging.LogRecord) -> Remark:
        """What a record of the logger says."""
        return cls(record.levelno, record.getMessage(), getattr(record, "event", None))

    def repeat(self, worker: int) -> None:
        """Say it in this process, as that of the worker of this number."""
        logging.getLogger(LOGGER).log(self.level, "%s", self.text, extra={"event": self.event, "worker": worker})


class Remarks(logging.Handler):
    """Hands every remark to a function, with the number of the worker that it is from (None: of this process)."""

    def __init__(self, tell: Callable[[Remark, int | None], object]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on, unless it is chatter."""
        remark = Remark.of(record)
        if record.name == LOGGER and (remark.event or remark.level >= logging.WARNING):
            # Who listened to a worker may have gone: then it ends anyway.
            with suppress(BrokenPipeError):
                self._tell(remark, getattr(record, "worker", None))


def listen(remarks: Remarks) -> None:
    """Let it hear what is said from now on, in the place of others of its class."""
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    for handler in [other for other in logger.handlers if type(other) is type(remarks)]:
        logger.removeHandler(handler)
    logger.addHandler(remarks)


def forget(remarks: Remarks) -> None:
    """Let it hear nothing more."""
    logging.getLogger(LOGGER).removeHandler(remarks)
