"""Remarks of the sinks, such as a topic that would drop old facts, as messages on stderr."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import typer

from sim.cli.terminal import logs
from sim.delivery.remarks import GOING_ON, LOGGER, WAITING, Remark, Remarks, listen

_ALIKE = 5.0
"""Seconds within which only one of several workers says that it waits."""


class Notices(Remarks):
    """Writes every remark once, whatever repeats it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(self._write)
        self._seen: set[str] = set()
        self._last: dict[str, float] = {}
        self._now = now

    def _write(self, remark: Remark, worker: int | None) -> None:
        if self._is_new(remark, worker):
            level = "warning" if remark.level >= logging.WARNING else "info"
            if logs.structured():
                fields = {} if worker is None else {"worker": worker + 1}
                logs.entry(level, remark.event or "warning", remark.text, fields)
            else:
                typer.echo(f"datagen: {'warning: ' if level == 'warning' else ''}{remark.text}", err=True)

    def _is_new(self, remark: Remark, worker: int | None) -> bool:
        if remark.event in (WAITING, GOING_ON):
            last, now = self._last.get(remark.event), self._now()
            self._last[remark.event] = now
            return worker is None or last is None or now - last > _ALIKE
        new = remark.text not in self._seen
        self._seen.add(remark.text)
        return new


def show() -> None:
    """From now on remarks are shown; showing again forgets which were."""
    listen(Notices())


def say(text: str) -> None:
    """A warning of datagen itself, in the way of those of the sinks."""
    logging.getLogger(LOGGER).warning("%s", text)
