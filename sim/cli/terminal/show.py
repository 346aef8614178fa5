"""Numbers, sizes and times as people read them, and where messages go."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNTS = ("", "k", "M", "G", "T")


def size(count: float) -> str:
    """Bytes with a unit of 1000: 1.2 MB."""
    return _scaled(count, _SIZES, " ")


def short(count: float) -> str:
    """A count in three digits: 1.23M, 45, 0.0012."""
    if 0 < abs(count) < 1:
        return f"{count:.2g}"
    return _scaled(count, _COUNTS, "")


def _scaled(count: float, units: tuple[str, ...], gap: str) -> str:
    step = 0
    while abs(count) >= 999.5 and step < len(units) - 1:
        count, step = count / 1000, step + 1
    digits = 0 if step == 0 and (count >= 100 or count == int(count)) else 2 if count < 10 else 1 if count < 100 else 0
    return f"{count:.{digits}f}{gap}{units[step]}".rstrip()


def clock(seconds: float) -> str:
    """A span as h:mm:ss, or with tenths below a minute: 7.3 s; `?` where it is not known."""
    if not isfinite(seconds):
        return "?"
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def brief(seconds: float) -> str:
    """A span of any size: 0.29 ms, 12 ms, 3.4 s."""
    if seconds >= 1:
        return clock(seconds)
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.0995 else f"{1000 * seconds:.2g} ms"


def instant(microseconds: int) -> str:
    """An instant to the second, UTC."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%d %H:%M:%S")


def iso(microseconds: int | None) -> str | None:
    """An instant for machines: ISO 8601 with microseconds and Z."""
    return None if microseconds is None else f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%dT%H:%M:%S.%fZ}"


def stderr() -> Console:
    """A console for what is not data."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False)


def stdout() -> Console:
    """A console for what a command answers; wide where nobody's terminal limits it, so that tables stay whole."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    return console if console.is_terminal else Console(file=sys.stdout, highlight=False, width=160)
