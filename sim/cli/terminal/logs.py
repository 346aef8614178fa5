"""What a command says beside its data, on stderr: as text for people, or one JSON object a line for machines.

An object begins with `time` (UTC), `level` (info, warning, error), `event` and `message`; what belongs to the event
follows. Nothing here knows a secret: URLs are shown without their options, and sinks take secrets out of what they say.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import zip_longest
from typing import Any

OPTION, VARIABLE = "--log-format", "DATAGEN_LOG_FORMAT"


class LogFormat(StrEnum):
    """How messages look."""

    TEXT = "text"
    JSON = "json"


class _Log:
    def __init__(self) -> None:
        self.format = LogFormat.TEXT
        self.lock = threading.Lock()


_LOG = _Log()


def choose(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
    """Take the format that the words of a command line ask for, or else the environment; text for anything unknown.

    It is looked for before the words are parsed, so that what is wrong with them is said in it, too.
    """
    asked = environment.get(VARIABLE, "")
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word == "--":
            break
        name, _, value = word.partition("=")
        if name == OPTION:
            asked = value or following
    _LOG.format = LogFormat.JSON if asked.lower() == LogFormat.JSON else LogFormat.TEXT


def structured() -> bool:
    """Whether messages are JSON."""
    return _LOG.format is LogFormat.JSON


def entry(level: str, event: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
    """Write one object; to be called where messages are `structured`. What JSON does not know is written as text."""
    line = line_of(level, event, message, fields)
    with _LOG.lock:
        sys.stderr.write(line)
        sys.stderr.flush()


def say(event: str, text: str, fields: Mapping[str, Any] | None = None) -> None:
    """Write a message that is no warning: the text as a line, or an object where messages are JSON."""
    if structured():
        entry("info", event, text.strip(), fields)
        return
    with _LOG.lock:
        print(text, file=sys.stderr, flush=True)


def line_of(level: str, event: str, message: str, fields: Mapping[str, Any] | None = None) -> str:
    """The object as a line."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    document = {"time": now, "level": level, "event": event, "message": message, **(fields or {})}
    return json.dumps(document, default=str) + "\n"
