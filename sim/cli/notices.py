"""Warnings of the sinks, such as a topic that would drop old facts, as lines on stderr."""

from __future__ import annotations

import logging

import typer

LOGGER = "datagen.sinks"
"""What sinks say to the user; below it is the chatter of client libraries, which is not shown."""


class Notices(logging.Handler):
    """Writes every warning of the sinks once, whatever repeats it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the warning, unless it was printed before."""
        text = record.getMessage()
        if record.name == LOGGER and text not in self._seen:
            self._seen.add(text)
            typer.echo(f"datagen: warning: {text}", err=True)


def show() -> None:
    """From now on warnings are shown; showing again forgets which were."""
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, Notices)]
    logger.addHandler(Notices())


def say(text: str) -> None:
    """A warning of datagen itself, in the way of those of the sinks."""
    logging.getLogger(LOGGER).warning("%s", text)
